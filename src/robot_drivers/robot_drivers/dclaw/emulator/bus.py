"""The emulated bus: instruction packets in, status packets out, with faults on demand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from robot_drivers.dclaw.control_table import FIRMWARE, GOAL_POSITION, HARDWARE_ERROR, MODEL_NUMBER
from robot_drivers.dclaw.emulator import codec
from robot_drivers.dclaw.emulator.bank import IDS, ServoBank
from robot_drivers.dclaw.emulator.codec import Packet

Execute = Callable[[int], tuple[int, bytes]]  # servo -> error code and data
REBOOT_TIME = 0.3  # [s] a rebooting servo is deaf


class EmulatedBus:
    """Answers packets as ten servos on one wire would.

    In lockstep every Sync Write of goal positions lets one control period pass.
    """

    def __init__(self, bank: ServoBank, now: Callable[[], float], *, lockstep: bool) -> None:
        """Connect the wire to the servos; ``now`` is a monotonic clock [s]."""
        self.bank = bank
        self.lockstep = lockstep
        self.last_packet = now()
        self.instructions: Counter[str] = Counter()
        self.drop: Counter[int] = Counter()  # answers to swallow, by id
        self.corrupt: Counter[int] = Counter()  # answers to damage, by id
        self.late: Counter[int] = Counter()  # answers that come only with the next exchange
        self.lose = 0  # instruction packets that never arrive
        self.offline: set[int] = set()
        self._now = now
        self._decoder = codec.Decoder()
        self._deaf: dict[int, float] = {}  # rebooting until
        self._belated: list[bytes] = []

    def feed(self, data: bytes) -> bytes:
        """Return what appears on the wire in answer to ``data``."""
        answer = b''
        for packet in self._decoder.feed(data):
            if self.lose:
                self.lose -= 1
                continue
            self.last_packet = self._now()
            belated, self._belated = self._belated, []
            answer += b''.join(belated) + self._execute(packet)
        return answer

    def reboot(self, servo_id: int) -> None:
        """Restart a servo: by instruction, or by a drop of its supply."""
        self.bank.reboot(servo_id)
        self._deaf[servo_id] = self._now() + REBOOT_TIME

    def _hears(self, servo_id: int) -> bool:
        if servo_id in self._deaf:
            if self._now() < self._deaf[servo_id]:
                return False
            del self._deaf[servo_id]
        return servo_id in self.bank.servos and servo_id not in self.offline

    def _execute(self, packet: Packet) -> bytes:
        kind, params = packet.instruction, packet.params
        if kind == codec.SYNC_READ:
            self.instructions['sync_read'] += 1
            address, size = _pair(params)
            return self._answers(params[4:], self._reader(address, size))
        if kind == codec.SYNC_WRITE:
            self.instructions['sync_write'] += 1
            return self._sync_write(params)
        if kind == codec.BULK_READ:
            answers = []
            for i in range(0, len(params) - 4, 5):
                address, size = _pair(params[i + 1 :])
                answers.append(self._answers(params[i : i + 1], self._reader(address, size)))
            return b''.join(answers)
        self.instructions[f'0x{kind:02x}'] += 1
        ids = IDS if packet.servo_id == codec.BROADCAST else (packet.servo_id,)
        answer = self._answers(ids, lambda servo_id: self._single(servo_id, kind, params))
        return answer if packet.servo_id != codec.BROADCAST or kind == codec.PING else b''

    def _single(self, servo_id: int, kind: int, params: bytes) -> tuple[int, bytes]:
        servo = self.bank.servos[servo_id]
        if kind == codec.PING:
            model = servo.value(MODEL_NUMBER).to_bytes(2, 'little')
            return codec.OK, model + bytes([servo.value(FIRMWARE)])
        if kind == codec.READ:
            return self._reader(*_pair(params))(servo_id)
        if kind == codec.WRITE:
            error = servo.write(int.from_bytes(params[:2], 'little'), params[2:])
            self.bank.changed()
            return error, b''
        if kind == codec.REBOOT:
            alert = codec.ALERT if servo.value(HARDWARE_ERROR) else 0
            self.reboot(servo_id)
            return alert, b''
        return codec.BAD_INSTRUCTION, b''

    def _reader(self, address: int, size: int) -> Execute:
        self.bank.refresh()
        return lambda servo_id: self.bank.servos[servo_id].read(address, size)

    def _sync_write(self, params: bytes) -> bytes:
        address, size = _pair(params)
        for i in range(4, len(params) - size, size + 1):
            if self._hears(params[i]):  # a refused write is silent: nobody answers a sync write
                self.bank.servos[params[i]].write(address, params[i + 1 : i + 1 + size])
        self.bank.changed()
        if self.lockstep and address <= GOAL_POSITION.address < address + size:
            self.bank.advance_period()
        return b''

    def _answers(self, ids: Iterable[int], execute: Execute) -> bytes:
        answer = b''
        for servo_id in ids:
            if not self._hears(servo_id):
                continue
            error, data = execute(servo_id)
            if self.bank.servos[servo_id].value(HARDWARE_ERROR):
                error |= codec.ALERT
            answer += self._spoil(servo_id, codec.status(servo_id, error, data))
        return answer

    def _spoil(self, servo_id: int, data: bytes) -> bytes:
        if self.drop[servo_id] > 0:
            self.drop[servo_id] -= 1
            return b''
        if self.late[servo_id] > 0:
            self.late[servo_id] -= 1
            self._belated.append(data)
            return b''
        if self.corrupt[servo_id] > 0:
            self.corrupt[servo_id] -= 1
            return data[:-3] + bytes([data[-3] ^ 0x10]) + data[-2:]
        return data


def _pair(params: bytes) -> tuple[int, int]:
    """Return address and size at the start of the parameters."""
    return int.from_bytes(params[:2], 'little'), int.from_bytes(params[2:4], 'little')
