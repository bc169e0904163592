"""How a transition becomes slots: its newer frame, and the older one where it is not there yet."""

from typing import Any

from numpy.typing import NDArray

from sac_learner.replay import layout
from sac_learner.replay.ring import Ring
from sac_learner.replay.state import Record
from sac_learner.replay.streams import Lane
from sac_learner.replay.transition import ReplayTransition


def store(ring: Ring, lane: Lane, transition: ReplayTransition, now: Record) -> Record:
    """Write a transition behind the slots that count now; it does not count yet.

    Args:
        ring: Has room for two more slots.
        lane: Of the transition's stream.
        transition: The next one of its stream.
        now: What counts.

    Returns:
        What counts with it. The newest slot is the last one written.
    """
    sequence, head, previous = transition.sequence, now.head, lane.last
    if not _continues(ring, lane, transition, head):
        image = _first_image(ring, lane, transition, head)
        previous = -1
        if ring.images is None or image is not None:
            ring.put_frame(head, transition.vector, image, sequence, lane.index, layout.FIRST)
            previous, head = head, head + 1
    trained = previous >= 0 and transition.train
    if trained:
        ring.put_step(head, previous, transition, lane.index)
    else:
        flags = layout.flags(transition.terminated, transition.truncated, transition.train)
        vector, image = transition.next_vector, transition.next_image
        ring.put_frame(head, vector, image, sequence, lane.index, flags)
    return _counted(ring, now, head + 1, trained)


def _continues(ring: Ring, lane: Lane, transition: ReplayTransition, head: int) -> bool:
    """Return whether the observation is the stream's newest frame, and within the window."""
    return (
        not lane.ended
        and not transition.segment_start
        and transition.sequence == lane.sequence + 1
        and lane.last >= ring.layout.window_start(head + 1)
        and ring.holds_frame(lane.last, transition.vector, transition.image)
    )


def _first_image(
    ring: Ring, lane: Lane, transition: ReplayTransition, head: int
) -> NDArray[Any] | None:
    """Return the observation's pixels, its own or those of the stream's newest frame."""
    if transition.image is not None or transition.sequence != lane.sequence + 1:
        return transition.image
    return ring.image(lane.last) if lane.last > head - ring.slots else None


def _counted(ring: Ring, now: Record, head: int, trained: bool) -> Record:
    """Return the record in which all below ``head`` counts, and what left the window does not."""
    size = now.size + trained
    for position in range(ring.layout.window_start(now.head), ring.layout.window_start(head)):
        # The frame leaves, and with it the transition that starts there.
        size -= ring.leads_on(position, head)
    return Record(head, now.transitions + trained, size)
