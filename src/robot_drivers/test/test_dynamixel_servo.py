"""The emulated servo is as strict as the real one."""

import numpy as np
import pytest

from robot_drivers.dclaw import control_table as table
from robot_drivers.dclaw.emulator.codec import ACCESS, DATA_LIMIT, DATA_RANGE, OK
from robot_drivers.dclaw.emulator.servo import Servo


@pytest.fixture
def servo() -> Servo:
    return Servo(10)


def write(servo: Servo, register: table.Register, value: int) -> int:
    data = (value & ((1 << 8 * register.size) - 1)).to_bytes(register.size, 'little')
    return servo.write(register.address, data)


def test_eeprom_is_locked_while_torque_is_on(servo):
    assert write(servo, table.OPERATING_MODE, 3) == OK
    assert write(servo, table.TORQUE_ENABLE, 1) == OK
    assert write(servo, table.OPERATING_MODE, 1) == ACCESS


def test_goal_beyond_the_limits_is_refused(servo):
    assert write(servo, table.MAX_POSITION, 3000) == OK
    assert write(servo, table.GOAL_POSITION, 3001) == DATA_LIMIT
    assert write(servo, table.GOAL_POSITION, -1) == DATA_LIMIT
    assert write(servo, table.GOAL_POSITION, 3000) == OK


def test_overload_switches_torque_off_until_reboot(servo):
    write(servo, table.TORQUE_ENABLE, 1)
    servo.fail(0x20)
    assert servo.value(table.TORQUE_ENABLE) == 0
    assert write(servo, table.TORQUE_ENABLE, 1) == ACCESS
    servo.reboot()
    assert write(servo, table.TORQUE_ENABLE, 1) == OK


def test_tripped_watchdog_makes_goals_read_only_until_cleared(servo):
    servo.store(table.BUS_WATCHDOG, table.WATCHDOG_TRIPPED)
    assert write(servo, table.GOAL_POSITION, 2000) == DATA_RANGE
    assert write(servo, table.BUS_WATCHDOG, 0) == OK
    assert write(servo, table.GOAL_POSITION, 2000) == OK


def test_reboot_forgets_ram_and_keeps_eeprom(servo):
    write(servo, table.MAX_POSITION, 3000)
    write(servo, table.POSITION_P_GAIN, 400)
    servo.write(table.INDIRECT_ADDRESS, (70).to_bytes(2, 'little'))
    servo.reboot()
    assert servo.value(table.MAX_POSITION) == 3000
    assert servo.value(table.POSITION_P_GAIN) == table.GAIN_NOMINAL
    assert servo.read(table.INDIRECT_ADDRESS, 2)[1] == table.INDIRECT_DATA.to_bytes(2, 'little')


def test_indirect_data_shows_the_mapped_registers(servo):
    for i, source in enumerate((70, 132, 133)):
        assert servo.write(table.INDIRECT_ADDRESS + 2 * i, source.to_bytes(2, 'little')) == OK
    servo.store(table.PRESENT_POSITION, -2)
    assert servo.read(table.INDIRECT_DATA, 3) == (OK, b'\x00\xfe\xff')


@pytest.mark.parametrize('value', [0, 1, -1, 2047, -32768, 32767])
def test_two_byte_numbers_survive_the_round_trip(value):
    assert table.signed(value & 0xFFFF, 2) == value


def test_angles_survive_the_round_trip_over_the_whole_turn():
    ticks = np.arange(table.TICKS_PER_TURN, dtype=float)
    offset = np.full(ticks.shape, -np.pi)
    assert (table.to_ticks(table.to_angle(ticks, offset), offset) == ticks).all()
    np.testing.assert_allclose(
        table.to_angle(ticks + 3 * table.TICKS_PER_TURN, offset), table.to_angle(ticks, offset)
    )
