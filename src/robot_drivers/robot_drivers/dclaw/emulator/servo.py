"""One servo's control table with the rules of the real one: locks, limits, alert, watchdog."""

from __future__ import annotations

from dataclasses import dataclass, field

from robot_drivers.dclaw.control_table import (
    BUS_WATCHDOG,
    GOAL_POSITION,
    HARDWARE_ERROR,
    INDIRECT_ADDRESS,
    INDIRECT_COUNT,
    INDIRECT_DATA,
    INDIRECT_HIGH,
    INDIRECT_LOW,
    MAX_POSITION,
    MIN_POSITION,
    Register,
    REGISTERS,
    SERVO_ID,
    SHUTDOWN,
    signed,
    TABLE_SIZE,
    TORQUE_ENABLE,
    WATCHDOG_TRIPPED,
)
from robot_drivers.dclaw.emulator.codec import ACCESS, DATA_LENGTH, DATA_LIMIT, DATA_RANGE, OK

_BY_ADDRESS = {item.address: item for item in REGISTERS}
_INDIRECT_END = INDIRECT_DATA + INDIRECT_COUNT


@dataclass
class Servo:
    """A register file; whoever owns it puts the measured values in and takes the goals out."""

    servo_id: int
    memory: bytearray = field(default_factory=lambda: bytearray(TABLE_SIZE))
    _sources: list[int] = field(default_factory=list)  # where each indirect byte comes from

    def __post_init__(self) -> None:
        """Fill in the values as delivered."""
        for register in REGISTERS:
            self.store(register, register.initial)
        self.store(SERVO_ID, self.servo_id)
        self.reboot()

    def value(self, register: Register) -> int:
        """Return a register, unsigned."""
        end = register.address + register.size
        return int.from_bytes(self.memory[register.address : end], 'little')

    def store(self, register: Register, value: int) -> None:
        """Set a register, as the firmware does: without any check."""
        end = register.address + register.size
        mask = (1 << (8 * register.size)) - 1
        self.memory[register.address : end] = (value & mask).to_bytes(register.size, 'little')

    def reboot(self) -> None:
        """Forget everything in RAM; torque off, alert gone."""
        for register in REGISTERS:
            if not register.eeprom:
                self.store(register, register.initial)
        for i in range(INDIRECT_COUNT):
            address = INDIRECT_ADDRESS + 2 * i
            self.memory[address : address + 2] = (INDIRECT_DATA + i).to_bytes(2, 'little')
        self._map()

    def fail(self, bits: int) -> None:
        """Raise a hardware error; those in the shutdown mask switch torque off."""
        self.store(HARDWARE_ERROR, self.value(HARDWARE_ERROR) | bits)
        if bits & self.value(SHUTDOWN):
            self.store(TORQUE_ENABLE, 0)

    def read(self, address: int, size: int) -> tuple[int, bytes]:
        """Return the error code and the bytes of a read."""
        if size < 1 or address + size > TABLE_SIZE:
            return DATA_LENGTH, b''
        if INDIRECT_DATA <= address < _INDIRECT_END:
            first = address - INDIRECT_DATA
            memory = self.memory
            return OK, bytes([memory[source] for source in self._sources[first : first + size]])
        return OK, bytes(self.memory[address : address + size])

    def write(self, address: int, data: bytes) -> int:
        """Write to one or several neighbouring registers; return the error code."""
        if not data or address + len(data) > TABLE_SIZE:
            return DATA_LENGTH
        if INDIRECT_ADDRESS <= address < INDIRECT_DATA:
            return self._write_map(address, data)
        if INDIRECT_DATA <= address < _INDIRECT_END:
            sources = self._sources[address - INDIRECT_DATA :][: len(data)]
            if sources != list(range(sources[0], sources[0] + len(data))):
                return ACCESS
            return self.write(sources[0], data)
        while data:
            register = _BY_ADDRESS.get(address, Register(address, 1, high=255))
            if len(data) < register.size:
                return DATA_LENGTH
            error = self._write_register(register, int.from_bytes(data[: register.size], 'little'))
            if error:
                return error
            address, data = address + register.size, data[register.size :]
        return OK

    def _write_register(self, register: Register, value: int) -> int:
        torque = self.memory[TORQUE_ENABLE.address]
        if not register.writable or (register.eeprom and torque):
            return ACCESS
        if register is GOAL_POSITION:
            if self.memory[BUS_WATCHDOG.address] == WATCHDOG_TRIPPED:
                return DATA_RANGE
            number = signed(value, 4)
            if not self.value(MIN_POSITION) <= number <= self.value(MAX_POSITION):
                return DATA_LIMIT
        elif register is TORQUE_ENABLE and value == 1:
            if self.value(HARDWARE_ERROR) & self.value(SHUTDOWN):
                return ACCESS
        elif register.low < 0:
            value = signed(value, register.size)
        if register is not GOAL_POSITION and not register.low <= value <= register.high:
            return DATA_RANGE
        self.store(register, value)
        return OK

    def _write_map(self, address: int, data: bytes) -> int:
        if address % 2 or len(data) % 2:
            return DATA_LENGTH
        if self.memory[TORQUE_ENABLE.address]:
            return ACCESS
        for i in range(0, len(data), 2):
            if not INDIRECT_LOW <= int.from_bytes(data[i : i + 2], 'little') <= INDIRECT_HIGH:
                return DATA_RANGE
        self.memory[address : address + len(data)] = data
        self._map()
        return OK

    def _map(self) -> None:
        table = self.memory[INDIRECT_ADDRESS : INDIRECT_ADDRESS + 2 * INDIRECT_COUNT]
        self._sources = [
            int.from_bytes(table[i : i + 2], 'little') for i in range(0, len(table), 2)
        ]
