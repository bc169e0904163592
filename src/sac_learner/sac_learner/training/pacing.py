"""How many gradient updates the data so far call for, and how much data the updates allow.

Both directions follow one line: from an anchor (T0 transitions, U0 updates) on, each further
transition calls for ``ratio`` updates. A new ratio moves the anchor, so it acts from then on only.
"""

from __future__ import annotations

import math
from typing import Any

UNLIMITED = 2**62


class Pacer:
    """Keeps the update-to-data ratio; it counts nothing itself, so nothing can drift."""

    def __init__(
        self, ratio: float, *, warmup: int = 0, max_lead: int = 100, update_lead: int = 0
    ) -> None:
        """Begin with the first transition after the warm-up.

        Args:
            ratio: Updates per transition, >= 0.
            warmup: Transitions before the first update; they call for none.
            max_lead: Transitions by which a simulated robot may be ahead of the updates, >= 1.
            update_lead: Updates by which learning may be ahead of the data, >= 0: it goes on
                that far while the robot rests.

        Raises:
            ValueError: A number is out of range.
        """
        for name, value, least in (
            ('warmup', warmup, 0),
            ('max_lead', max_lead, 1),
            ('update_lead', update_lead, 0),
        ):
            if value < least:
                raise ValueError(f'{name} must be at least {least}, got {value}')
        self._ratio = _checked(ratio)
        self._warmup = warmup
        self._max_lead = max_lead
        self._update_lead = update_lead
        self._transitions = float(warmup)  # T0
        self._updates = 0.0  # U0

    @property
    def ratio(self) -> float:
        """Updates per transition."""
        return self._ratio

    def updates_due(self, transitions: int, updates: int) -> int:
        """Return how many updates may be done now, after that many of both."""
        if transitions < self._warmup or transitions < 1 or self._ratio == 0.0:
            return 0
        return max(0, math.floor(self._line(transitions) + 1e-9) + self._update_lead - updates)

    def transition_budget(self, updates: int) -> int:
        """Return how many transitions there may be after that many updates."""
        if self._ratio == 0.0:
            return UNLIMITED
        line = self._transitions + (updates - self._updates) / self._ratio
        return max(self._warmup, min(UNLIMITED, math.floor(line + 1e-9))) + self._max_lead

    def set_ratio(self, ratio: float, transitions: int, updates: int) -> None:
        """Change the ratio from now on; updates that are due stay due, none are added.

        Raises:
            ValueError: The ratio is negative or not finite.
        """
        ratio = _checked(ratio)
        if transitions > self._transitions:
            # With a ratio of zero nothing was due, whatever had been done before.
            line = self._line(transitions) if self._ratio > 0.0 else float(updates)
            self._transitions, self._updates = float(transitions), line
        self._ratio = ratio

    def rebase(self, transitions: int, updates: int) -> None:
        """Let only transitions from now on call for updates, as if none had come before."""
        self._transitions = float(max(transitions, self._warmup))
        self._updates = float(updates)

    def state(self) -> dict[str, float]:
        """Return what a checkpoint must hold, as JSON values."""
        return {'ratio': self._ratio, 'transitions': self._transitions, 'updates': self._updates}

    def restore(self, state: dict[str, Any], transitions: int, updates: int) -> None:
        """Go on from a checkpoint; the ratio this pacer was made with acts from now on.

        Args:
            state: From :meth:`state`.
            transitions: Those in the replay now, which may be more than at the checkpoint.
            updates: Those at the checkpoint.

        Raises:
            ValueError: The state is incomplete or not made of numbers.
        """
        try:
            values = [float(state[name]) for name in ('ratio', 'transitions', 'updates')]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f'the pacing state needs the numbers ratio, transitions and updates, got {state!r}'
            ) from error
        wanted, self._ratio = self._ratio, _checked(values[0])
        self._transitions, self._updates = values[1:]
        if transitions < self._transitions and transitions >= self._warmup:
            self.rebase(transitions, updates)  # the replay is not the one of the checkpoint
        if wanted != self._ratio:
            self.set_ratio(wanted, transitions, updates)

    def _line(self, transitions: int) -> float:
        return self._updates + self._ratio * (transitions - self._transitions)


def _checked(ratio: float) -> float:
    if not math.isfinite(ratio) or ratio < 0.0:
        raise ValueError(f'the update-to-data ratio must be a number >= 0, got {ratio}')
    return float(ratio)
