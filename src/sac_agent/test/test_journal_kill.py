"""A process that is killed while it records loses nothing that was sent and reuses no number."""

import os
from pathlib import Path
import random
import signal
import struct
import subprocess
import sys
import time
import zlib

import pytest

from sac_agent.journal import Journal, JournalConfig
from sac_core.bag import BagReader, Definitions
from sac_core.bag.transitions import key, TRANSITION

SRC = Path(__file__).resolve().parents[2]
MESSAGES = SRC / 'sac_msgs' / 'msg'
RECORD = struct.Struct('<QI')

CHILD = """
import os, struct, sys, time, zlib
from pathlib import Path
import numpy as np
from sac_agent.journal import Courier, JournalConfig
from sac_core.bag import Definitions
from sac_core.bag.transitions import key, TRANSITION

definitions = Definitions({'sac_msgs': Path(sys.argv[2])})
def publish(payload):
    os.write(1, struct.pack('<QI', key(payload).sequence, zlib.crc32(payload)))
config = JournalConfig(storage=sys.argv[3], split_bytes=1 << 18, resend_after=0.02, window=64)
courier = Courier(Path(sys.argv[1]), 'robot', publish, config, definitions=definitions)
courier.on_ack(courier.next_sequence - 1, courier.next_sequence - 1)
os.write(2, b'up')
message = definitions.new(TRANSITION, agent_id='robot', stream_id=courier.stream_id)
message.episode = courier.next_episode
while True:
    message.sequence = courier.next_sequence
    message.latent = np.frombuffer(os.urandom(400), np.float32)
    courier.transition(definitions.encode(message, TRANSITION))
    if courier.next_sequence % 7 == 0:
        courier.on_ack(courier.status().recorded, courier.status().recorded // 2)
        time.sleep(0.0005)
"""


def live_and_die(bag: Path, storage: str, delay: float) -> bytes:
    """Record for a while, be killed, and return what was sent."""
    environment = {**os.environ, 'PYTHONPATH': f'{SRC / "sac_core"}:{SRC / "sac_agent"}'}
    child = subprocess.Popen(
        [sys.executable, '-c', CHILD, str(bag), str(MESSAGES), storage],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    assert child.stderr.read(2) == b'up', child.stderr.read()
    os.set_blocking(child.stdout.fileno(), False)
    sent = b''
    end = time.monotonic() + delay
    while time.monotonic() < end:
        sent += child.stdout.read() or b''
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    child.wait()
    os.set_blocking(child.stdout.fileno(), True)
    sent += child.stdout.read()
    errors = child.stderr.read()
    child.stdout.close()
    child.stderr.close()
    assert not errors, errors.decode()
    return sent[: len(sent) // RECORD.size * RECORD.size]


def check_lives(bag: Path, storage: str, lives: int, seed: int) -> None:
    delays = random.Random(seed)
    sent: dict[int, int] = {}
    for _ in range(lives):
        for sequence, crc in RECORD.iter_unpack(live_and_die(bag, storage, delays.random() * 0.3)):
            assert sent.setdefault(sequence, crc) == crc, f'number {sequence} was used twice'
    definitions = Definitions({'sac_msgs': MESSAGES})
    journal = Journal(bag, 'robot', JournalConfig(storage=storage), definitions=definitions)
    count = journal.last_sequence
    payloads = journal.read(1, count)
    journal.close()
    assert [key(payload).sequence for payload in payloads] == list(range(1, count + 1))
    assert len(sent) > 20 * lives
    for sequence, crc in sent.items():
        assert zlib.crc32(payloads[sequence - 1]) == crc, f'number {sequence} changed'
    reader = BagReader(bag)
    assert [message.data for message in reader.messages()] == payloads
    assert not reader.unfinished()
    assert next(reader.messages()).type == TRANSITION


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_killed_recorder_loses_nothing_sent_and_reuses_no_number(
    tmp_path: Path, storage: str
) -> None:
    check_lives(tmp_path / 'robot', storage, lives=6, seed=1)


@pytest.mark.slow
def test_recorder_killed_a_hundred_times_loses_nothing_sent(tmp_path: Path) -> None:
    check_lives(tmp_path / 'robot', 'mcap', lives=100, seed=2)
