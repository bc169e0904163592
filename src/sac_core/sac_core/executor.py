"""The executor of our nodes."""

from rclpy.executors import Executor, SingleThreadedExecutor


def one_thread() -> Executor:
    """Return an executor that calls back in the thread that spins it.

    It is rclpy's EventsExecutor, which takes half the CPU time of the SingleThreadedExecutor per
    message, or the latter where rclpy has no other. Spin it with `spin_once(timeout_sec=...)` in a
    loop: `spin()` hears no signals.
    """
    try:
        from rclpy.experimental import EventsExecutor
    except ImportError:
        return SingleThreadedExecutor()
    executor: Executor = EventsExecutor()
    return executor
