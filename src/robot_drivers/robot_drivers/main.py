"""Entry point of the driver node."""

from sac_core import startup


def main() -> int:
    """Run the driver node."""
    return startup.run('robot_drivers.robot_node')
