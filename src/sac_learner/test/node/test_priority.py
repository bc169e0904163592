import os
import threading

from sac_learner.node.priority import give_way


def found(nice):
    """Return niceness and policy of a thread after it gave way, and of one that it starts."""
    seen = []

    def look():
        thread = threading.get_native_id()
        seen.append((os.getpriority(os.PRIO_PROCESS, thread), os.sched_getscheduler(thread)))

    def work():
        give_way(nice)
        look()
        child = threading.Thread(target=look)
        child.start()
        child.join()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return seen


def test_learning_and_its_threads_give_way():
    ours = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert found(7) == [(max(ours, 7), os.SCHED_BATCH)] * 2
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == ours


def test_zero_changes_nothing():
    ours = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    policy = os.sched_getscheduler(threading.get_native_id())
    assert found(0) == [(ours, policy)] * 2
