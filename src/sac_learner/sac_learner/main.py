"""Entry point of the learner."""

from sac_core import startup


def main() -> int:
    """Run the learner node."""
    return startup.run('sac_learner.node.learner_node')
