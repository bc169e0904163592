"""Asks the operating system to run this thread before others, where it lets us."""

from __future__ import annotations

from contextlib import suppress
import os


def prefer(priority: int) -> bool:
    """Give the calling thread a real-time priority; return whether that was permitted.

    Threads and processes it starts later do not inherit it. Needs root, CAP_SYS_NICE, or an
    entry `rtprio` in /etc/security/limits.conf.

    Args:
        priority: 1 to 99 as in SCHED_FIFO; 0 returns to the usual scheduling.
    """
    policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK if priority else os.SCHED_OTHER
    with suppress(OSError):
        os.sched_setscheduler(0, policy, os.sched_param(priority))
        return True
    return False
