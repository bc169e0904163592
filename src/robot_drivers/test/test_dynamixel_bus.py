"""The servo bus through the SDK: late answers, refusals, ports that cannot be opened."""

from __future__ import annotations

import pytest

from robot_drivers.dclaw import control_table as table
from robot_drivers.dclaw.dynamixel_bus import DynamixelBus
from robot_drivers.errors import ConnectionFailedError, MotorFaultError, StaleStateError


def test_answer_of_another_length_is_passed_over(wall_hand):
    bus = DynamixelBus(wall_hand.port, 1000000, latency=100.0)  # of a busy machine
    bus.start()
    wall_hand.ask('late 10 1')
    with pytest.raises(StaleStateError):
        bus.sync_read([10], table.MODEL_NUMBER.address, 8)
    model = bus.sync_read([10], table.MODEL_NUMBER.address, 2)  # the late one comes first
    assert int.from_bytes(model.tobytes(), 'little') == bus.ping(10)
    bus.stop()


def test_missing_port_is_named():
    with pytest.raises(ConnectionFailedError, match='/dev/nothing is not there'):
        DynamixelBus('/dev/nothing', 1000000).start()


def test_impossible_speed_is_refused(wall_hand):
    with pytest.raises(ConnectionFailedError, match='4500000 bit/s'):
        DynamixelBus(wall_hand.port, 4500000).start()


def test_refused_register_says_why(wall_hand):
    bus = DynamixelBus(wall_hand.port, 1000000, latency=100.0)  # of a busy machine
    bus.start()
    with pytest.raises(MotorFaultError, match='motor 10 refuses address 132: read-only'):
        bus.write(10, table.PRESENT_POSITION, 0)
    with pytest.raises(StaleStateError, match='motor 99'):
        bus.ping(99)
    bus.stop()


def test_negative_register_survives_the_wire(wall_hand):
    bus = DynamixelBus(wall_hand.port, 1000000, latency=100.0)  # of a busy machine
    bus.start()
    bus.write(10, table.HOMING_OFFSET, -1000)
    assert table.signed(bus.read(10, table.HOMING_OFFSET), 4) == -1000
    bus.stop()
