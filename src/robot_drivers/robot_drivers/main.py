"""Entry points of the nodes."""

from sac_core import startup


def main() -> int:
    """Run the driver node."""
    return startup.run('robot_drivers.node.robot_node')


def minitaur_pd() -> int:
    """Run the joint controller of Minitaur."""
    return startup.run('robot_drivers.minitaur.pd_node')
