"""The thread that learns: takes what the node passes on, and learns whenever an update is due."""

from collections.abc import Callable
import queue
import threading
from typing import Any

from sac_core.bag import BagError
from sac_core.startup import CONFIGURATION_ERROR
from sac_learner.checkpoint import CheckpointError
from sac_learner.node.priority import give_way
from sac_learner.node.session import Session
from sac_learner.replay import ReplayError, ReplayFullDiskError
from sac_learner.sac.agent import DivergenceError

IDLE = 0.02  # [s]


class Worker:
    """Works a `Session` in a thread of its own; every public method may be called from another."""

    def __init__(self, session: Session, nice: int) -> None:
        """Prepare; nothing is learned before `start`.

        Args:
            session: From now on only this thread uses it, but for what may be read from any.
            nice: How far learning gives way, as in nice(1).
        """
        self._session = session
        self._nice = nice
        self._inbox: queue.SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]]] = (
            queue.SimpleQueue()
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._main, name='learning', daemon=True)

    @property
    def running(self) -> bool:
        """Whether the thread is at work; it ends by itself when the run is complete."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; it saves a checkpoint and writes the report first."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def call(self, handler: Callable[..., None], *arguments: Any) -> None:
        """Let the thread call a handler of its session, after all those that came before."""
        self._inbox.put((handler, arguments))

    def _main(self) -> None:
        give_way(self._nice)
        session = self._session
        try:
            while not self._stopping.is_set() and not session.finished:
                self._take()
                session.work()
        except (BagError, ReplayError, CheckpointError, DivergenceError, OSError) as error:
            recoverable = isinstance(error, (DivergenceError, OSError, ReplayFullDiskError))
            session.fail(error, 1 if recoverable else CONFIGURATION_ERROR)
        finally:
            session.close()

    def _take(self) -> None:
        """Deal with everything that arrived; wait a little when there is nothing to do."""
        try:
            handler, arguments = self._inbox.get(timeout=1e-4 if self._session.learning else IDLE)
            while True:
                handler(*arguments)
                handler, arguments = self._inbox.get_nowait()
        except queue.Empty:
            pass
