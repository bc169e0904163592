"""Learning gives way: inference on the same computer must never wait for it."""

import contextlib
import os
import threading


def give_way(nice: int) -> None:
    """Lower the calling thread's priority, and that of the threads it starts from now on.

    Args:
        nice: As in nice(1), 0 for nothing; a thread that is nicer already stays so.
    """
    if nice < 1:
        return
    thread = threading.get_native_id()
    with contextlib.suppress(OSError):  # a container may forbid it; learning goes on without
        os.setpriority(os.PRIO_PROCESS, thread, max(nice, os.getpriority(os.PRIO_PROCESS, thread)))
        # Batch work does not interrupt what wakes up for a moment.
        os.sched_setscheduler(thread, os.SCHED_BATCH, os.sched_param(0))
