"""The agent between its control steps: resets, losses, help, and the driver's state."""

import time

from rclpy.clock import Clock
from rclpy.node import Node
from std_msgs.msg import String

from sac_agent.episode.machine import Event, State
from sac_agent.node.control_loop import ControlLoop
from sac_agent.node.reset_cycle import ResetCycle
from sac_agent.node.sensor_input import SensorInput
from sac_agent.pilot import Pilot
from sac_agent.records import Sample, Truncation
from sac_core import qos

WAIT_PERIOD = 10.0  # [s] between two complaints
FOREIGN_RESET = 0.3  # [s] that a driver says so within an episode, so that its commands are void
LOCKSTEP_PATIENCE = 5.0  # [s] a simulated robot may need for one answer

_LIMP = ('limp', 'estop')  # how the driver's state begins when it takes no commands


class Supervisor:
    """Moves the state machine along with what happens around the robot.

    Attributes:
        ending: No further episode shall begin.
    """

    def __init__(
        self,
        node: Node,
        pilot: Pilot,
        sensors: SensorInput,
        loop: ControlLoop,
        clock: Clock,
        *,
        lockstep: bool,
    ) -> None:
        """Open the reset service and listen to the driver.

        Args:
            node: Owner.
            pilot: Whose machine is moved.
            sensors: Watched for silence.
            loop: Begins and interrupts episodes.
            clock: Steady clock of the timers.
            lockstep: A simulated robot waits for every command.
        """
        self._node, self._pilot, self._sensors, self._loop = node, pilot, sensors, loop
        self._lockstep = lockstep
        self._driver_state = ''
        self.ending = False
        episode = pilot.config.episode
        self._reset = ResetCycle(
            node,
            episode,
            clock,
            now=time.monotonic,
            on_done=self._on_reset_done,
            on_settled=self._settle,
            on_help=self._ask_for_help,
        )
        if episode.driver_state:
            node.create_subscription(
                String, episode.driver_state, self._on_driver_state, qos.LATCHED
            )

    # Control steps

    def on_sample(self, sample: Sample) -> None:
        """Take a complete sample; in lock-step it is answered at once."""
        self._loop.note(sample)
        if self._lockstep and not self._reset.settling:
            self._loop.answer(sample)

    def on_tick(self) -> None:
        """Clocked: one control period has passed."""
        sample = self._sensors.latest
        stale = self._pilot.config.timing.stale_timeout
        if sample is None or time.monotonic() - sample.received > stale:
            return
        resetting = self._pilot.machine.state is State.RESETTING
        if resetting or (self._loop.acting and self._reset.settling):
            # Keeps the rate of the command topic; a driver in its reset ignores commands.
            self._loop.hold()
        elif self._pilot.in_episode or not self.ending:
            self._loop.tick()

    def on_learner_news(self, transitions: int) -> None:
        """Go on where a simulated robot waited for learning, and end together with the others.

        Args:
            transitions: Training steps that the learner has, of all robots.
        """
        ends = self._pilot.conclude(transitions)
        if ends and not self._pilot.stop_after_step(Truncation.SHUTDOWN):
            self.stop_episode(Truncation.SHUTDOWN)
        if self._loop.acting and not self._reset.settling:
            self._loop.act()

    def stop_episode(self, reason: Truncation) -> None:
        """Truncate the episode and let the robot hold."""
        self._reset.abandon()
        self._loop.interrupt(reason)

    # Housekeeping

    def watch(self) -> None:
        """Watch time-outs, drive resets."""
        now = time.monotonic()
        machine = self._pilot.machine
        machine.tick(now)
        self._watch_sensors(now)
        if machine.state is State.WAITING:
            missing = self._missing(now)
            if missing:
                machine.reason = f'for {", ".join(missing)}'
                self._node.get_logger().warning(
                    f'waits {machine.reason}', throttle_duration_sec=WAIT_PERIOD, skip_first=True
                )
            else:
                machine.on(Event.READY, now)
        if machine.state is State.RESETTING:
            self._drive_reset(now)
        self._settle()

    def _missing(self, now: float) -> list[str]:
        """Return what is not there yet."""
        missing = [self._reset.missing] if self._reset.missing else []
        if self._driver_state.startswith(_LIMP):
            missing.append(f'the driver, which is {self._driver_state}')
        if not self._lockstep:
            sensors = self._pilot.config.sensors
            missing += [
                f'{name} on {self._node.resolve_topic_name(sensors[name].topic)}'
                for name in self._sensors.silent(now)
            ]
        return missing

    def _watch_sensors(self, now: float) -> None:
        if not self._loop.acting or not self._pilot.in_episode:
            return
        if self._reset.driver_resets_for() > FOREIGN_RESET:
            self._lose(Truncation.OPERATOR, 'somebody else has the robot reset')
            return
        if self._lockstep:
            since = self._loop.waiting_since
            if since is None or self._pilot.wants_action:
                return
            if now - since < max(self._pilot.config.timing.stale_timeout, LOCKSTEP_PATIENCE):
                return
            silent = ['the robot']
        else:
            silent = self._sensors.silent(now)
            if not silent:
                return
        reason = f'no news from {", ".join(silent)}'
        self._node.get_logger().warning(f'{reason}: the episode is truncated')
        self._lose(Truncation.STALE_SENSOR, reason)

    def _lose(self, truncation: Truncation, reason: str) -> None:
        self._reset.postpone(0.5)
        self._pilot.machine.on(Event.LOST, time.monotonic(), reason)
        self.stop_episode(truncation)

    def _on_driver_state(self, message: String) -> None:
        """Act no more on a robot whose driver has let it go limp."""
        self._driver_state = message.data
        self._reset.heard(message.data)
        machine = self._pilot.machine
        if not message.data.startswith(_LIMP):
            return
        reason = f'the driver is {message.data}'
        if message.data.startswith('estop') and machine.on(Event.ESTOP, time.monotonic(), reason):
            self._node.get_logger().error(reason)
            self.stop_episode(Truncation.FAULT)
        elif machine.state in (State.RUNNING, State.HUMAN, State.RESETTING):
            self._node.get_logger().error(reason)
            self._lose(Truncation.FAULT, reason)

    # Resets

    def _drive_reset(self, now: float) -> None:
        resetting = State.RESETTING
        if self.ending or not self._reset.due() or self._pilot.machine.state is not resetting:
            return
        if self._reset.missing:
            self._pilot.machine.on(Event.LOST, now, 'the driver is gone')
            return
        self._reset.begin(self._pilot.next_goal())

    def _on_reset_done(self) -> None:
        if not self._pilot.machine.on(Event.RESET_DONE, time.monotonic()):
            self._reset.abandon()

    def _settle(self) -> None:
        """Begin the episode once a state from after the reset is there."""
        reset, now = self._reset, time.monotonic()
        config, machine = self._pilot.config, self._pilot.machine
        if not reset.settling or now - reset.done < config.episode.settle:
            return
        if reset.driver_resets_for():  # once more, for a request that was thought lost
            return
        if machine.state is State.HUMAN:
            return
        if machine.state is not State.RUNNING:
            reset.abandon()
            return
        # In lock-step the last state of the reset comes before its answer, and none after it.
        since = reset.began if self._lockstep else reset.done
        latest = self._sensors.latest
        if latest is not None and latest.received >= since:
            reset.settling = False
            if self._lockstep and not self.ending:
                self._loop.begin()
        elif now - reset.done > max(config.timing.stale_timeout, 1.0):
            if self._lockstep and latest is not None and not self._sensors.silent(now):
                # The reset had nothing to do: the robot shows the state that it showed before.
                reset.settling = False
                if not self.ending:
                    self._loop.begin()
                return
            reset.abandon()
            self._lose(Truncation.STALE_SENSOR, 'no sensor values after the reset')

    def _ask_for_help(self, text: str) -> None:
        reason = f'{text}; put the scene right, then call continue_after_help'
        if self._pilot.machine.on(Event.NEED_HELP, time.monotonic(), reason):
            self._node.get_logger().error(f'needs help: {reason}')
