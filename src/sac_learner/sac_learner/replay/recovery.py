"""What of a replay's files counts when it is opened: the work of a killed process, or less."""

from __future__ import annotations

from pathlib import Path

from sac_learner.replay.errors import ReplayError
from sac_learner.replay.files import write_synced
from sac_learner.replay.layout import TERMINATED, TRUNCATED
from sac_learner.replay.ring import Ring
from sac_learner.replay.state import Record, State
from sac_learner.replay.streams import DURABLE, LAST, RECEIVED, StreamTable

BOOT = 'boot'


def boot_id() -> str:
    """Return what names this start of the machine: when it changes, page caches are gone."""
    path = Path('/proc/sys/kernel/random/boot_id')
    return path.read_text().strip() if path.exists() else 'unknown'


def same_boot(directory: Path) -> bool:
    """Return whether all that was stored in ``directory`` is still there."""
    path = directory / BOOT
    return path.exists() and path.read_text() == boot_id()


def note_boot(directory: Path) -> None:
    """Note that from now on everything stored counts until the machine is started anew."""
    write_synced(directory / BOOT, boot_id().encode())


def recover(directory: Path, ring: Ring, state: State, streams: StreamTable) -> Record:
    """Return what counts, and set the lanes of all streams accordingly.

    After the death of a process that is all it published. After a power failure it is what was
    flushed: later slots may be on the disk in part.

    Raises:
        ReplayError: The files contradict each other.
    """
    record, durable = state.published(), state.durable()
    if record.size > ring.layout.capacity or durable.size > ring.layout.capacity:
        raise ReplayError(f'the replay in {directory} is damaged: {record} exceeds its capacity')
    table = streams.mapped.array
    if not same_boot(directory) and record != durable:
        record = durable
        state.publish(record)
        for lane in streams.lanes.values():
            lane.received = int(table[lane.index, DURABLE])
        find_lanes(ring, record, streams)
        return record
    for lane in streams.lanes.values():
        lane.last = int(table[lane.index, LAST])
    if any(not 0 <= lane.last < record.head for lane in streams.lanes.values()):
        find_lanes(ring, record, streams)
        return record
    if record.head:
        # The table is written after the slots, so it may lack the very last append.
        _, newest, _ = ring.origin(record.head - 1)
        for lane in streams.lanes.values():
            if lane.index == newest:
                lane.last = record.head - 1
                break
        else:
            raise ReplayError(
                f'the replay in {directory} is damaged: its newest slot belongs to no known stream'
            )
    read_lanes(ring, record, streams)
    return record


def find_lanes(ring: Ring, record: Record, streams: StreamTable) -> None:
    """Look through all slots for the newest one of each stream, and read the lanes from them."""
    low = ring.layout.window_start(record.head)
    for lane in streams.lanes.values():
        lane.last = ring.newest(lane.index, low, record.head)
    read_lanes(ring, record, streams)


def read_lanes(ring: Ring, record: Record, streams: StreamTable) -> None:
    """Read from each stream's newest slot how far it has come."""
    table = streams.mapped.array
    for name, lane in streams.lanes.items():
        lane.sequence, lane.ended = -1, True
        if max(0, record.head - ring.slots) <= lane.last < record.head:
            sequence, stream, flags = ring.origin(lane.last)
            if stream != lane.index:
                raise ReplayError(
                    f'the replay is damaged: the newest slot of stream {name!r} is not its own'
                )
            lane.sequence = sequence
            lane.ended = bool(flags & (TERMINATED | TRUNCATED))
            lane.received = max(lane.received, sequence)
        table[lane.index, LAST] = lane.last
        table[lane.index, RECEIVED] = lane.received
