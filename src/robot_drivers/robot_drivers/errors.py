"""What robots raise; the node answers with limp motors, a diagnostic and one log line."""


class RobotError(Exception):
    """A robot could not do what was asked; its motors are limp, or its watchdog makes them so."""


class ConnectionFailedError(RobotError):
    """The robot could not be opened: port missing or occupied, motor missing, wrong firmware."""


class OccupiedError(ConnectionFailedError):
    """Somebody else has the robot; waiting does not help."""


class NotConnectedError(RobotError):
    """The link was never opened, or went away."""


class StaleStateError(RobotError):
    """No fresh measurement within the allowed number of attempts."""


class MotorFaultError(RobotError):
    """A motor reports a fault (overload, overheating, reboot, disabled) and must be recovered."""


class EstopError(RobotError):
    """The emergency stop is latched; a person has to clear it."""


class NotEnabledError(RobotError):
    """The motors are limp and nobody has enabled them."""


class ResetFailedError(RobotError):
    """The scripted reset did not reach its goal in time; trying again may help."""


class NeedsHelpError(ResetFailedError):
    """The scripted reset gave up; only a person can go on."""
