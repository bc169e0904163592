"""Dynamixel Protocol 2.0 packets to bytes and back.

Source: ROBOTIS e-manual, Protocol 2.0; its example packets are golden vectors in the tests.
"""

from __future__ import annotations

from dataclasses import dataclass

HEADER = b'\xff\xff\xfd\x00'
BROADCAST = 0xFE
STATUS = 0x55
ALERT = 0x80

PING, READ, WRITE, REBOOT, CLEAR = 0x01, 0x02, 0x03, 0x08, 0x10
SYNC_READ, SYNC_WRITE, BULK_READ = 0x82, 0x83, 0x92

OK, RESULT_FAIL, BAD_INSTRUCTION, BAD_CRC = 0, 1, 2, 3
DATA_RANGE, DATA_LENGTH, DATA_LIMIT, ACCESS = 4, 5, 6, 7

_MARK, _STUFFED = b'\xff\xff\xfd', b'\xff\xff\xfd\xfd'
_MAX_LENGTH = 1024


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte << 8
        for _ in range(8):
            crc = ((crc << 1) ^ 0x8005 if crc & 0x8000 else crc << 1) & 0xFFFF
        table.append(crc)
    return tuple(table)


_TABLE = _crc_table()


def crc16(data: bytes) -> int:
    """Return the CRC-16 of a packet up to its CRC: polynomial 0x8005, start 0, no reflection."""
    crc = 0
    for byte in data:
        crc = ((crc << 8) & 0xFF00) ^ _TABLE[(crc >> 8) ^ byte]
    return crc


@dataclass(frozen=True)
class Packet:
    """An instruction, or with ``instruction`` STATUS an answer whose error is ``params[0]``."""

    servo_id: int
    instruction: int
    params: bytes = b''

    def encode(self) -> bytes:
        """Return the bytes on the wire, stuffed and with CRC."""
        body = (bytes([self.instruction]) + self.params).replace(_MARK, _STUFFED)
        length = (len(body) + 2).to_bytes(2, 'little')
        data = HEADER + bytes([self.servo_id]) + length + body
        return data + crc16(data).to_bytes(2, 'little')


def status(servo_id: int, error: int, params: bytes = b'') -> bytes:
    """Return the bytes of a servo's answer."""
    return Packet(servo_id, STATUS, bytes([error]) + params).encode()


class Decoder:
    """Cuts a stream of bytes into packets; skips noise and packets with a wrong CRC."""

    def __init__(self) -> None:
        """Start with an empty buffer."""
        self.crc_errors = 0
        self._buffer = b''

    def feed(self, data: bytes) -> list[Packet]:
        """Return the packets completed by ``data``, in order."""
        self._buffer += data
        packets: list[Packet] = []
        while True:
            start = self._buffer.find(HEADER)
            if start < 0:
                self._buffer = self._buffer[-3:]  # a header may be cut in two
                return packets
            self._buffer = self._buffer[start:]
            if len(self._buffer) < 7:
                return packets
            length = int.from_bytes(self._buffer[5:7], 'little')
            if not 3 <= length <= _MAX_LENGTH:
                self._buffer = self._buffer[1:]
                continue
            end = 7 + length
            if len(self._buffer) < end:
                return packets
            raw = self._buffer[:end]
            if crc16(raw[:-2]) != int.from_bytes(raw[-2:], 'little'):
                self.crc_errors += 1
                self._buffer = self._buffer[1:]
                continue
            self._buffer = self._buffer[end:]
            body = raw[7:-2].replace(_STUFFED, _MARK)
            packets.append(Packet(raw[4], body[0], body[1:]))
