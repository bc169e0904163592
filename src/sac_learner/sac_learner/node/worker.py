"""The thread that learns: takes what the node passes on, and learns whenever an update is due."""

from collections.abc import Callable, Mapping
import queue
import threading
from typing import Any

from sac_msgs.msg import (
    AgentSpec as AgentSpecMsg,
)
from sac_msgs.msg import (
    AgentStatus,
    EpisodeSummary,
    EvaluationSummary,
    Transition,
)

from sac_core.bag import BagError
from sac_core.startup import CONFIGURATION_ERROR
from sac_learner.checkpoint import CheckpointError
from sac_learner.intake.bags import Labels
from sac_learner.node.priority import give_way
from sac_learner.node.session import Session
from sac_learner.replay import ReplayError, ReplayFullDiskError
from sac_learner.run.directory import RunDirectory
from sac_learner.sac.agent import DivergenceError
from sac_learner.sac.config import SacConfig
from sac_learner.settings import LearnerSettings
from sac_learner.training.policies import Policy

IDLE = 0.02  # [s]


class Worker:
    """Works a `Session` in a thread of its own; every public method may be called from another."""

    def __init__(
        self,
        config: SacConfig,
        settings: LearnerSettings,
        run: RunDirectory,
        *,
        publish: Callable[[Policy], None],
        log: Callable[[str], Any],
    ) -> None:
        """Prepare the run directory; nothing is learned before `start`."""
        self._nice = settings.nice
        self._inbox: queue.SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]]] = (
            queue.SimpleQueue()
        )
        self._stopping = threading.Event()
        self._session = Session(config, settings, run, publish=publish, log=log)
        self._thread = threading.Thread(target=self._main, name='learning', daemon=True)

    @property
    def learner_id(self) -> str:
        """Tells this learner from others, and from its own earlier lives."""
        return self._session.learner_id

    @property
    def running(self) -> bool:
        """Whether the thread is at work; it ends by itself when the run is complete."""
        return self._thread.is_alive()

    @property
    def failure(self) -> str:
        """What ended the thread, '' if nothing went wrong."""
        return self._session.failure

    @property
    def exit_code(self) -> int:
        """Of the process."""
        return self._session.exit_code

    @property
    def spec_hash(self) -> str:
        """Hash of the spec that is learned, empty before an agent has introduced itself."""
        return self._session.spec_hash

    @property
    def refused_agents(self) -> dict[str, str]:
        """Why agents are refused, by name."""
        return self._session.refused_agents

    @property
    def problems(self) -> dict[str, str]:
        """What keeps data from the disk, by kind; learning goes on all the same."""
        return self._session.problems

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; it saves a checkpoint and writes the report first."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def introduce(self, msg: AgentSpecMsg) -> None:
        """Take an agent's announcement."""
        self._inbox.put((self._session.on_spec, (msg,)))

    def receive(self, msg: Transition) -> None:
        """Take a transition."""
        self._inbox.put((self._session.on_transition, (msg,)))

    def episode(self, msg: EpisodeSummary) -> None:
        """Take the summary of an episode."""
        self._inbox.put((self._session.on_episode, (msg,)))

    def evaluation(self, msg: EvaluationSummary) -> None:
        """Take the summary of an evaluation."""
        self._inbox.put((self._session.on_evaluation, (msg,)))

    def agent_status(self, msg: AgentStatus) -> None:
        """Take an agent's state, for the account of robot hours."""
        self._inbox.put((self._session.on_agent_status, (msg,)))

    def relabel(self, labels: Mapping[str, Labels], done: Callable[[int], None]) -> None:
        """Give transitions in the replay new rewards and ends.

        Args:
            labels: By stream.
            done: Called in the learning thread with how many transitions were there.
        """
        self._inbox.put((self._session.on_relabel, (labels, done)))

    def set_parameter(self, name: str, value: Any) -> None:
        """Change a live parameter from the next update on.

        Raises:
            ValueError: The value is not admissible together with the others.
        """
        self._session.check(name, value)
        self._inbox.put((self._session.on_parameter, (name, value)))

    def save(self) -> bool:
        """Ask for a checkpoint; return whether there is anything to save."""
        self._inbox.put((self._session.on_save, ()))
        return bool(self._session.spec_hash)

    def pause(self, paused: bool) -> None:
        """Stop or go on with the gradient updates; transitions are taken all the same."""
        self._session.paused = paused

    def status(self) -> dict[str, Any]:
        """Return the fields of LearnerStatus; those of the end once the run is closed."""
        return self._session.status()

    def diagnostics(self) -> dict[str, Any]:
        """Return what the diagnostics show."""
        return self._session.diagnostics()

    # The thread

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
