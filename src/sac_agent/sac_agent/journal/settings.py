"""Parameters of journal and sending."""

from dataclasses import dataclass, field

STORAGES = ('mcap', 'sqlite3')
COMPRESSIONS = ('none', 'zstd', 'lz4')


@dataclass(frozen=True)
class JournalConfig:
    """How a run is recorded and how its transitions reach the learner."""

    storage: str = field(
        default='mcap', metadata={'doc': 'Format of the bag.', 'choices': STORAGES}
    )
    compression: str = field(
        default='none', metadata={'doc': 'Of chunks, MCAP only.', 'choices': COMPRESSIONS}
    )
    split_bytes: int = field(
        default=64 << 20,
        metadata={
            'doc': 'A bag file of this size is finished and another begun [bytes].',
            'range': (1 << 16, 1 << 40),
        },
    )
    max_bytes: int = field(
        default=0,
        metadata={
            'doc': 'Beyond this the oldest files whose transitions are all durable at the learner '
            'are deleted, never others; 0 keeps everything [bytes].',
            'range': (0, 1 << 50),
        },
    )
    sync: bool = field(
        default=True,
        metadata={
            'doc': 'Bring transitions to the disk before they are sent, so that also a power cut '
            'neither loses nor doubles any; without it that holds for killed processes only.'
        },
    )
    hold: int = field(
        default=10_000,
        metadata={
            'doc': 'Transitions kept in memory while the disk is full or slow; then recording '
            'stops.',
            'range': (1, 10_000_000),
        },
    )
    weights: bool = field(
        default=True,
        metadata={
            'doc': 'Record the weights that act, so that verify_bag can repeat every decision; '
            'about 0.35 MB per version of a 2 x 256 policy.'
        },
    )
    commands: bool = field(
        default=True, metadata={'doc': 'Record the command topics beside the transitions.'}
    )
    sensors: bool = field(
        default=False, metadata={'doc': 'Record the raw sensor topics beside the transitions.'}
    )
    window: int = field(
        default=512,
        metadata={
            'doc': 'Transitions under way at most, sent but not yet received.',
            'range': (1, 100_000),
        },
    )
    resend_after: float = field(
        default=0.5,
        metadata={
            'doc': 'Send again what is not acknowledged after this time [s].',
            'range': (0.01, 60.0),
        },
    )
