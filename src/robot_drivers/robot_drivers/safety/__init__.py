"""The last hop before the motors."""

from robot_drivers.safety.config import CHECKS, Response, SafetyConfig
from robot_drivers.safety.layer import Level, SafetyLayer, Verdict

__all__ = ['CHECKS', 'Level', 'Response', 'SafetyConfig', 'SafetyLayer', 'Verdict']
