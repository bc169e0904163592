"""Learning-rate schedules."""

import math


def learning_rate(
    schedule: str, initial: float, final: float, update: int, total_updates: int
) -> float:
    """Return the learning rate of one update; after `total_updates` it stays at `final`.

    Args:
        schedule: 'constant' (then `final` is ignored), 'linear', 'exponential' or 'cosine'.
        initial: Rate of update 0.
        final: Rate from `total_updates` on.
        update: Number of updates done, >= 0.
        total_updates: Length of the schedule, >= 1.

    Raises:
        ValueError: There is no such schedule.
    """
    progress = min(update / total_updates, 1.0)
    if schedule == 'constant':
        return initial
    if schedule == 'linear':
        return initial + (final - initial) * progress
    if schedule == 'exponential':
        return initial * (final / initial) ** progress if initial > 0.0 else 0.0
    if schedule == 'cosine':
        return final + 0.5 * (initial - final) * (1.0 + math.cos(math.pi * progress))
    raise ValueError(f'schedule must be constant, linear, exponential or cosine, got {schedule!r}')
