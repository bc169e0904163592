"""One control step after the other, on the clock or in lock-step with a simulated robot."""

from collections.abc import Callable
import time

from rclpy.clock import Clock

from sac_agent.episode.machine import State
from sac_agent.node.command_output import CommandOutput
from sac_agent.pilot import Pilot
from sac_agent.records import Array, Outcome, Sample, Truncation


class ControlLoop:
    """Answers observations with commands; what came of a step goes out after the command.

    Attributes:
        waiting_since: When the command went out that a simulated robot has to answer [s].
    """

    def __init__(
        self,
        pilot: Pilot,
        commands: CommandOutput,
        clock: Clock,
        *,
        lockstep: bool,
        held_back: Callable[[int], bool],
        on_outcome: Callable[[Outcome], None],
    ) -> None:
        """Connect observations to commands.

        Args:
            pilot: Decides.
            commands: Take them out.
            clock: Of the stamps.
            lockstep: The robot waits for every command, so nothing is ever late.
            held_back: Whether learning has to catch up first, given the number of steps done that
                are not sent to the learner yet.
            on_outcome: Takes what an observation brought about.
        """
        self._pilot, self._commands, self._clock = pilot, commands, clock
        self._lockstep, self._held_back, self._on_outcome = lockstep, held_back, on_outcome
        self._latest: Sample | None = None
        self._used_stamp = -1
        self._unsent = 0
        self.waiting_since: float | None = None

    @property
    def acting(self) -> bool:
        """Whether policy or person may act."""
        return self._pilot.machine.state in (State.RUNNING, State.HUMAN)

    @property
    def held_back(self) -> bool:
        """Whether a simulated robot waits for learning."""
        return self._lockstep and self._held_back(self._unsent)

    @property
    def waits_for_learner(self) -> bool:
        """Whether a step that could be taken waits for learning."""
        return self.acting and self._pilot.wants_action and self.held_back

    def note(self, sample: Sample) -> None:
        """Take the newest sample without acting on it."""
        self._latest = sample

    def answer(self, sample: Sample) -> None:
        """Lock-step: take the state one control period after the last command."""
        if not self.acting or not self._pilot.in_episode or self._pilot.wants_action:
            return
        half = round(0.5e9 * self._pilot.config.control_period)
        if sample.stamp >= self._used_stamp + half:
            self._step(sample)

    def tick(self) -> None:
        """Clocked: act on the newest state, whatever else happens."""
        sample = self._latest
        if not self.acting or sample is None:
            return
        if not self._pilot.in_episode:
            if self._pilot.machine.state is not State.HUMAN:
                self.begin()
        elif sample.stamp != self._used_stamp:
            self._step(sample, late=self._is_late(sample))
        # No news (an earlier stamp is some: the clock was set back): the last command stands, and
        # its step ends late.

    def begin(self) -> None:
        """Begin an episode at the newest sample."""
        if self._latest is None:
            return
        self._pilot.begin(self._latest)
        self._used_stamp = self._latest.stamp
        self.act()

    def act(self) -> None:
        """Send the next command if an observation waits for it and learning keeps up."""
        pilot = self._pilot
        if not pilot.wants_action or self.held_back:
            return
        command = pilot.act()
        self._commands.send(command.channels, self._used_stamp)
        now = time.monotonic()
        self.waiting_since = now
        # Simulated time stands still while the robot waits for the command.
        age = 0.0
        if not self._lockstep:
            age = max(0.0, 1e-9 * (self._clock.now().nanoseconds - self._used_stamp))
        latency = now - self._latest.received if self._latest else 0.0
        late = not self._lockstep and latency > pilot.config.control_period
        pilot.sent(age, latency, missed=late)

    def interrupt(self, reason: Truncation) -> None:
        """Truncate the episode under way, if any, and let the robot hold."""
        if self._pilot.in_episode:
            outcome = self._pilot.interrupt(reason)
            self.hold()
            self._tell(outcome)

    def hold(self) -> None:
        """Command the pose that is measured, or no effort and no speed."""
        if self._latest is not None:
            values = self._pilot.mapper.hold(self._latest.raw)
            self._commands.send(values, self._latest.stamp)

    def pass_on(self, commands: dict[str, Array]) -> None:
        """Send a person's commands, within the limits, while no episode is under way."""
        if self._latest is not None:
            mapper, raw = self._pilot.mapper, self._latest.raw
            command = mapper.command(mapper.action(commands, raw), raw)
            self._commands.send(command.channels, self._latest.stamp)

    def _is_late(self, sample: Sample) -> bool:
        """Return whether the step that ends here took too long, as after a pause of the process.

        The stamps tell of a sleeping computer, which the monotonic clock does not count, and of
        messages that waited; they may lie apart by nearly two periods where a sensor is slow.
        """
        period = self._pilot.config.control_period
        stood = 0.0 if self.waiting_since is None else time.monotonic() - self.waiting_since
        apart = 1e-9 * (sample.stamp - self._used_stamp)
        return stood > 1.5 * period or apart > 2.0 * period

    def _step(self, sample: Sample, *, late: bool = False) -> None:
        """Close the last control step and take the next one."""
        self._used_stamp = sample.stamp
        outcome = self._pilot.observe(sample, late=late)
        self._unsent = int(outcome.record is not None)
        if outcome.episode is None:
            self.act()
        elif not self._lockstep:
            self.hold()
        self._tell(outcome)

    def _tell(self, outcome: Outcome) -> None:
        if outcome.episode is not None:
            self.waiting_since = None
        self._unsent = 0
        self._on_outcome(outcome)
