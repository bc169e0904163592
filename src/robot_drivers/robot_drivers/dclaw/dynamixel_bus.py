"""The real servo bus, through the Dynamixel SDK.

Everything the SDK gets wrong for a robot that must not lurch is put right here, each with its
reason; nothing else in the package touches the SDK.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
import termios
import time
from typing import Any, TypeVar

from dynamixel_sdk import (
    COMM_SUCCESS,
    GroupSyncRead,
    GroupSyncWrite,
    PortHandler,
    Protocol2PacketHandler,
)
import numpy as np
from numpy.typing import NDArray
import serial

from robot_drivers.dclaw.control_table import Register
from robot_drivers.errors import (
    ConnectionFailedError,
    MotorFaultError,
    NotConnectedError,
    OccupiedError,
    StaleStateError,
)

ALERT = 0x80  # the servo has a hardware error, but the answer is good
REFUSALS = {
    1: 'failed',
    2: 'instruction unknown',
    3: 'CRC',
    4: 'out of range, or its watchdog tripped',
    5: 'wrong length',
    6: 'beyond its limits',
    7: 'read-only, or locked while torque is on',
}
LOST = (OSError, serial.SerialException, termios.error)  # the last is no OSError
SERVO, LENGTH, DATA = 4, 5, 9  # where id, length and data are in a status packet
OVERHEAD = 4  # bytes counted in the length besides the data: instruction, error, CRC
PSEUDO_TERMINAL_LATENCY = 8.0  # [ms] a busy machine schedules the emulator late
T = TypeVar('T')


class _Port(PortHandler):  # type: ignore[misc]
    """The SDK's port with a monotonic clock, a real flush and a blocking read."""

    latency = 1.0  # [ms]

    def clearPort(self) -> None:  # noqa: N802
        """Drop what came too late, or the next answer would be the previous one (SDK < 4.0.5)."""
        self.ser.reset_input_buffer()

    def getCurrentTime(self) -> float:  # noqa: N802
        """Return milliseconds that no clock adjustment disturbs."""
        return time.monotonic() * 1000.0

    def setPacketTimeout(self, packet_length: int) -> None:  # noqa: N802
        """Wait as long as this adapter needs, not always 34 ms."""
        self.packet_start_time = self.getCurrentTime()
        self.packet_timeout = self.tx_time_per_byte * packet_length + 2.0 * self.latency + 2.0


class _Packets(Protocol2PacketHandler):  # type: ignore[misc]
    """The SDK's packets, which takes the first bytes of an answer whatever its length."""

    def readRx(self, port: Any, dxl_id: int, length: int) -> tuple[list[int], int, int]:  # noqa: N802
        """Return the answer of a servo; one of another length belongs to an earlier question."""
        while True:
            packet, result = self.rxPacket(port, False)
            if result != COMM_SUCCESS:
                return [], result, 0
            size = int(packet[LENGTH]) + 256 * int(packet[LENGTH + 1]) - OVERHEAD
            if packet[SERVO] == dxl_id and size == length:
                data = packet[DATA : DATA + length]
                return [int(value) for value in data], result, int(packet[DATA - 1])


class DynamixelBus:
    """A bus on a serial port, Protocol 2.0. One thread at a time may use it."""

    def __init__(self, path: str, baud_rate: int, latency: float | None = None) -> None:
        """Remember where it is.

        Args:
            path: Serial device; /dev/serial/by-id/... survives unplugging.
            baud_rate: [bit/s].
            latency: Of the adapter [ms]; None: ask the operating system.
        """
        self.path = path
        self.errors: Counter[str] = Counter()
        self._baud_rate = baud_rate
        self._latency = latency
        self._port: Any = None
        self._packets = _Packets()
        self._readers: dict[tuple[tuple[int, ...], int, int], Any] = {}

    def start(self) -> None:
        """Open the port for ourselves alone.

        Raises:
            ConnectionFailedError: It is missing or cannot have that speed.
            OccupiedError: Another program has it.
        """
        self.stop()
        port = _Port(self.path)
        port.latency = adapter_latency(self.path) if self._latency is None else self._latency
        try:
            if not port.setBaudRate(self._baud_rate):
                raise ConnectionFailedError(
                    f'{self.path} cannot have {self._baud_rate} bit/s; use 57600, 1000000, '
                    '2000000, 3000000 or 4000000'
                )
            port.ser.exclusive = True
            port.ser.timeout = 0.002  # else the SDK spins a core while it waits
        except LOST as error:
            if getattr(port, 'ser', None) is not None:
                port.ser.close()
            if not Path(self.path).exists():
                raise ConnectionFailedError(
                    f'serial port {self.path} is not there: plug it in, or set port '
                    '(ls /dev/serial/by-id)'
                ) from error
            raise OccupiedError(
                f'serial port {self.path} cannot be opened: another program has it, or you lack '
                f'the permission (group dialout); {error}'
            ) from error
        self._port = port
        self._readers.clear()

    def stop(self) -> None:
        """Close the port, in whatever state it is."""
        port, self._port = self._port, None
        if port is not None:
            port.is_using = False
            try:
                port.closePort()
            except LOST:
                self.errors['close'] += 1

    def ping(self, servo_id: int) -> int:
        """Return the model number of a servo.

        Raises:
            StaleStateError: It does not answer.
        """
        model, result, _ = self._call(lambda: self._packets.ping(self._port, servo_id))
        self._check(result, f'motor {servo_id}')
        return int(model)

    def read(self, servo_id: int, register: Register) -> int:
        """Return a register, unsigned.

        Raises:
            StaleStateError: The servo does not answer.
            MotorFaultError: It refuses.
        """
        handler = self._packets
        function = {1: handler.read1ByteTxRx, 2: handler.read2ByteTxRx, 4: handler.read4ByteTxRx}
        value, result, error = self._call(
            lambda: function[register.size](self._port, servo_id, register.address)
        )
        self._check(result, f'motor {servo_id}')
        self._accept(error, servo_id, register)
        return int(value)

    def write(self, servo_id: int, register: Register, value: int) -> None:
        """Set a register.

        Raises:
            StaleStateError: The servo does not answer.
            MotorFaultError: It refuses.
        """
        handler = self._packets
        function = {
            1: handler.write1ByteTxRx,
            2: handler.write2ByteTxRx,
            4: handler.write4ByteTxRx,
        }
        mask = (1 << (8 * register.size)) - 1
        result, error = self._call(
            lambda: function[register.size](self._port, servo_id, register.address, value & mask)
        )
        self._check(result, f'motor {servo_id}')
        self._accept(error, servo_id, register)

    def reboot(self, servo_id: int) -> None:
        """Restart a servo; its answer carries the alert that is about to vanish."""
        result, _ = self._call(lambda: self._packets.reboot(self._port, servo_id))
        self._check(result, f'motor {servo_id}')

    def sync_read(self, ids: Sequence[int], address: int, size: int) -> NDArray[np.uint8]:
        """Return the same bytes of many servos, shape (len(ids), size).

        Raises:
            StaleStateError: One of them did not answer; the SDK drops the others' data too, and
                would return zeros.
        """
        key = (tuple(ids), address, size)
        reader = self._readers.get(key)
        if reader is None:
            reader = GroupSyncRead(self._port, self._packets, address, size)
            for servo_id in ids:
                reader.addParam(servo_id)
            self._readers[key] = reader
        self._check(self._call(reader.txRxPacket), f'one of motors {list(ids)}')
        data = reader.data_dict
        return np.array([data[servo_id] for servo_id in ids], dtype=np.uint8)

    def sync_write(self, ids: Sequence[int], register: Register, values: Sequence[int]) -> None:
        """Set the same register of many servos; nobody confirms it."""
        writer = GroupSyncWrite(self._port, self._packets, register.address, register.size)
        mask = (1 << (8 * register.size)) - 1
        for servo_id, value in zip(ids, values, strict=True):
            writer.addParam(servo_id, list((value & mask).to_bytes(register.size, 'little')))
        self._check(self._call(writer.txPacket), 'sync write')

    def _call(self, transfer: Callable[[], T]) -> T:
        if self._port is None:
            raise NotConnectedError(f'{self.path} is not open; configure the driver again')
        try:
            return transfer()
        except LOST as error:
            self.errors['unplugged'] += 1
            self.stop()
            raise NotConnectedError(
                f'{self.path} went away ({error}); plug it in, then call ~/enable'
            ) from error
        except (IndexError, TypeError) as error:  # the SDK on a cut packet
            self._port.is_using = False
            self.errors['corrupt'] += 1
            raise StaleStateError(f'a damaged packet came: {error!r}') from error

    def _check(self, result: int, who: str) -> None:
        if result != COMM_SUCCESS:
            if self._port is not None:
                self._port.is_using = False
            text = self._packets.getTxRxResult(result).removeprefix('[TxRxResult] ')
            self.errors[text.rstrip('!')] += 1
            raise StaleStateError(f'{who}: {text}')

    def _accept(self, error: int, servo_id: int, register: Register) -> None:
        code = error & ~ALERT
        if code:
            self.errors['refused'] += 1
            raise MotorFaultError(
                f'motor {servo_id} refuses address {register.address}: '
                f'{REFUSALS.get(code, f"code {code}")}'
            )


def adapter_latency(path: str) -> float:
    """Return how long the adapter may keep an answer back [ms]."""
    name = Path(path).resolve().name
    if Path(path).resolve().parent == Path('/dev/pts'):
        return PSEUDO_TERMINAL_LATENCY
    file = Path('/sys/bus/usb-serial/devices') / name / 'latency_timer'
    try:
        return max(1.0, float(file.read_text()))
    except (OSError, ValueError):
        return 1.0
