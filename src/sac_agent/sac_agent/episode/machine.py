"""The life of an agent as a state machine: transitions with reasons, and the time they take."""

from enum import IntEnum, unique


@unique
class State(IntEnum):
    """As in AgentStatus.msg."""

    WAITING = 0
    RUNNING = 1
    RESETTING = 2
    PAUSED = 3
    HUMAN = 4
    NEEDS_HELP = 5
    ESTOP = 6
    FINISHED = 7


@unique
class Event(IntEnum):
    """What may happen to an agent."""

    READY = 0  # all sensors and the driver are there
    LOST = 1  # a sensor is silent, or the driver is gone
    RESET_DONE = 2
    NEED_HELP = 3  # the scene cannot be reset without a person
    EPISODE_END = 4
    PAUSE = 5
    RESUME = 6
    HUMAN_ON = 7
    HUMAN_OFF = 8
    ESTOP = 9
    CONTINUE = 10  # a person has helped
    FINISH = 11


_S, _E = State, Event
TRANSITIONS: dict[tuple[State, Event], State] = {
    (_S.WAITING, _E.READY): _S.RESETTING,
    (_S.RESETTING, _E.RESET_DONE): _S.RUNNING,
    (_S.RESETTING, _E.NEED_HELP): _S.NEEDS_HELP,
    (_S.RUNNING, _E.EPISODE_END): _S.RESETTING,
    (_S.HUMAN, _E.EPISODE_END): _S.HUMAN,
    (_S.PAUSED, _E.RESUME): _S.WAITING,
    (_S.ESTOP, _E.RESUME): _S.WAITING,
    (_S.NEEDS_HELP, _E.CONTINUE): _S.WAITING,
    (_S.HUMAN, _E.HUMAN_OFF): _S.WAITING,
    **{(s, _E.LOST): _S.WAITING for s in (_S.RESETTING, _S.RUNNING, _S.HUMAN)},
    **{
        (s, _E.HUMAN_ON): _S.HUMAN
        for s in (_S.WAITING, _S.RESETTING, _S.RUNNING, _S.PAUSED, _S.NEEDS_HELP)
    },
    **{
        (s, _E.PAUSE): _S.PAUSED
        for s in (_S.WAITING, _S.RESETTING, _S.RUNNING, _S.HUMAN, _S.NEEDS_HELP)
    },
    **{(s, _E.ESTOP): _S.ESTOP for s in State if s not in (_S.ESTOP, _S.FINISHED)},
    **{(s, _E.FINISH): _S.FINISHED for s in State if s is not _S.FINISHED},
}

_REASONS = {
    _E.READY: 'sensors and driver are there',
    _E.RESET_DONE: 'reset is done',
    _E.EPISODE_END: 'episode has ended',
    _E.PAUSE: 'paused by an operator',
    _E.RESUME: 'resumed by an operator',
    _E.HUMAN_ON: 'a person is in command',
    _E.HUMAN_OFF: 'the person has let go',
    _E.ESTOP: 'emergency stop',
    _E.CONTINUE: 'a person has helped',
    _E.FINISH: 'finished',
}

# A person who takes over within an episode hands back into the same episode.
_RETURN = (State.RUNNING,)

_KIND = {
    State.WAITING: 'waiting',
    State.RUNNING: 'acting',
    State.RESETTING: 'resetting',
    State.PAUSED: 'waiting',
    State.HUMAN: 'human',
    State.NEEDS_HELP: 'human',
    State.ESTOP: 'fault',
    State.FINISHED: 'waiting',
}
KINDS = ('acting', 'resetting', 'waiting', 'human', 'fault')


class EpisodeMachine:
    """State, reason, and time account [s] by kind.

    Attributes:
        state: Present state.
        reason: Why.
        account: Seconds by kind of `KINDS`, over all sessions of the stream.
    """

    def __init__(self, now: float, account: dict[str, float] | None = None) -> None:
        """Begin waiting; `now` and all later times are on the same clock [s]."""
        self.state = State.WAITING
        self.reason = 'for sensors and driver'
        self.account = dict.fromkeys(KINDS, 0.0) | (account or {})
        self._since = now
        self._lost = False
        self._interrupted = False

    def on(self, event: Event, now: float, reason: str = '') -> bool:
        """Apply an event; return whether the state allows it, otherwise nothing changes."""
        target = TRANSITIONS.get((self.state, event))
        if target is None:
            return False
        self.tick(now)
        if event is Event.HUMAN_ON:
            self._interrupted = self.state in _RETURN
        elif event is Event.EPISODE_END:
            self._interrupted = False
        elif event is Event.HUMAN_OFF and self._interrupted:
            target = State.RUNNING
        self._lost = event is Event.LOST
        self.state = target
        self.reason = reason or _REASONS.get(event, '')
        return True

    def tick(self, now: float) -> None:
        """Book the time since the last call."""
        kind = 'fault' if self._lost else _KIND[self.state]
        self.account[kind] += max(0.0, now - self._since)
        self._since = now

    def refusal(self, event: Event) -> str:
        """Return why an event is not possible now."""
        allowed = [s.name.lower() for (s, e) in TRANSITIONS if e is event]
        return (
            f'not possible while {self.state.name.lower()} ({self.reason}); '
            f'only while {", ".join(allowed)}'
        )
