"""Entry point of the agent."""

from sac_core import startup


def main() -> int:
    """Run the agent node."""
    return startup.run('sac_agent.node.sac_agent_node')
