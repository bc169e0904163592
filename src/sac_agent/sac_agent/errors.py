"""What this package raises."""


class AgentError(Exception):
    """Base of everything the agent raises on purpose."""


class ConfigError(AgentError, ValueError):
    """A configuration that cannot work; the text names key, value and admissible values."""


class SensorError(AgentError, ValueError):
    """A sensor message that does not hold what the configuration says."""
