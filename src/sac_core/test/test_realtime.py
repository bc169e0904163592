"""Real-time priority: taken where it is permitted, never handed on, given back."""

import os
import threading

from sac_core.realtime import prefer


def test_prefer_concerns_this_thread_and_what_it_starts_has_none():
    permitted = prefer(3)
    found = []
    after = threading.Thread(target=lambda: found.append(os.sched_getscheduler(0)))
    after.start()
    after.join()
    own = os.sched_getscheduler(0)
    assert prefer(0)
    assert bool(own & os.SCHED_FIFO) == permitted
    assert found == [os.SCHED_OTHER]
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_prefer_tells_when_it_is_not_permitted(monkeypatch):
    def refuse(*_):
        raise PermissionError(1, 'not permitted')

    monkeypatch.setattr(os, 'sched_setscheduler', refuse)
    assert not prefer(3)
