"""The emulator's packets are those of the ROBOTIS manual."""

import pytest

from robot_drivers.dclaw.emulator.codec import (
    BULK_READ,
    Decoder,
    Packet,
    PING,
    READ,
    REBOOT,
    STATUS,
    status,
    SYNC_READ,
    SYNC_WRITE,
    WRITE,
)

GOLDEN = {
    'ping': (Packet(1, PING), 'FFFFFD00 01 0300 01 194E'),
    'ping answer': (
        Packet(1, STATUS, bytes.fromhex('00060426')),
        'FFFFFD00 01 0700 55 00 060426 655D',
    ),
    'read': (
        Packet(1, READ, bytes.fromhex('84000400')),
        'FFFFFD00 01 0700 02 84000400 1D15',
    ),
    'write': (
        Packet(1, WRITE, bytes.fromhex('740000020000')),
        'FFFFFD00 01 0900 03 7400 00020000 CA89',
    ),
    'reboot': (Packet(1, REBOOT), 'FFFFFD00 01 0300 08 2F4E'),
    'sync read': (
        Packet(254, SYNC_READ, bytes.fromhex('840004000102')),
        'FFFFFD00 FE 0900 82 84000400 0102 CEFA',
    ),
    'sync write': (
        Packet(254, SYNC_WRITE, bytes.fromhex('74000400 0196000000 02AA000000')),
        'FFFFFD00 FE 1100 83 74000400 0196000000 02AA000000 8287',
    ),
    'bulk read': (
        Packet(254, BULK_READ, bytes.fromhex('0190000200 0292000100')),
        'FFFFFD00 FE 0D00 92 0190000200 0292000100 1A05',
    ),
}


@pytest.mark.parametrize('name', GOLDEN)
def test_packet_is_encoded_as_in_the_manual(name):
    packet, wire = GOLDEN[name]
    assert packet.encode() == bytes.fromhex(wire)


@pytest.mark.parametrize('name', GOLDEN)
def test_packet_is_decoded_as_in_the_manual(name):
    packet, wire = GOLDEN[name]
    assert Decoder().feed(bytes.fromhex(wire)) == [packet]


def test_packet_is_found_in_noise_and_byte_by_byte():
    packet = Packet(10, WRITE, b'\x74\x00\xff\xff\xfd\x00')  # a header inside must be stuffed
    data = b'\x00\xff\xff\xfd' + packet.encode()
    assert len(packet.encode()) == 10 + len(packet.params) + 1
    decoder, found = Decoder(), []
    for byte in data:
        found += decoder.feed(bytes([byte]))
    assert found == [packet]


def test_damaged_packet_is_counted_and_the_next_one_found():
    data = bytearray(status(10, 0, b'\x01\x02\x03\x04'))
    data[10] ^= 1
    decoder = Decoder()
    assert decoder.feed(bytes(data) + status(11, 0)) == [Packet(11, STATUS, b'\x00')]
    assert decoder.crc_errors == 1
