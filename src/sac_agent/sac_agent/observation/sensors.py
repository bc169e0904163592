"""Sensor messages to numbers: one reader per sensor, chosen by message type.

Works on anything that has the fields of the message, so nothing here needs ROS.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from sac_agent.config import SensorConfig
from sac_agent.errors import ConfigError, SensorError
from sac_agent.layout import SensorLayout

Array = npt.NDArray[np.float64]
Getter = Callable[[Any], Sequence[float]]

_XYZ = ('x', 'y', 'z')
_XYZW = ('x', 'y', 'z', 'w')

IMAGE_TYPES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')

# Message type -> fields in SI units: name, path in the message, element names.
STRUCTURED: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {
    'sensor_msgs/msg/Imu': {
        'orientation': ('orientation', _XYZW),
        'angular_velocity': ('angular_velocity', _XYZ),
        'linear_acceleration': ('linear_acceleration', _XYZ),
    },
    'geometry_msgs/msg/Wrench': {'force': ('force', _XYZ), 'torque': ('torque', _XYZ)},
    'geometry_msgs/msg/Pose': {
        'position': ('position', _XYZ),
        'orientation': ('orientation', _XYZW),
    },
    'geometry_msgs/msg/Twist': {'linear': ('linear', _XYZ), 'angular': ('angular', _XYZ)},
}
for _inner, _outer in (('Wrench', 'wrench'), ('Pose', 'pose'), ('Twist', 'twist')):
    STRUCTURED[f'geometry_msgs/msg/{_inner}Stamped'] = {
        name: (f'{_outer}.{path}', elements)
        for name, (path, elements) in STRUCTURED[f'geometry_msgs/msg/{_inner}'].items()
    }

JOINT_STATE = 'sensor_msgs/msg/JointState'
_JOINT_FIELDS = ('position', 'velocity', 'effort')
_ARRAYS = ('std_msgs/msg/Float32MultiArray', 'std_msgs/msg/Float64MultiArray')
_SCALARS = ('std_msgs/msg/Float32', 'std_msgs/msg/Float64')


def normalised(message_type: str) -> str:
    """Return ``package/msg/Name`` also for ``package/Name``."""
    parts = message_type.split('/')
    return f'{parts[0]}/msg/{parts[1]}' if len(parts) == 2 else message_type


class SensorReader:
    """Reads one sensor's messages into a vector.

    Attributes:
        names: Element names, ``sensor.field[name]``.
    """

    def __init__(self, name: str, config: SensorConfig) -> None:
        """Work out which numbers of a message are read.

        Raises:
            ConfigError: Type and fields do not fit together.
        """
        self._name = name
        self._config = config
        kind = normalised(config.type)
        if kind == JOINT_STATE:
            fields = self._joint_fields()
        elif kind in _ARRAYS:
            fields = {'data': ('data', self._named())}
        elif kind in _SCALARS:
            fields = {'data': ('data', ('0',))}
        elif kind in STRUCTURED:
            fields = _chosen(name, STRUCTURED[kind], config.fields)
        else:
            fields = self._paths()
        self.names = tuple(
            f'{name}.{field}[{element}]'
            for field, (_, elements) in fields.items()
            for element in elements
        )
        self._slots = [(attrgetter(path), elements, path) for path, elements in fields.values()]
        self._is_joint_state = kind == JOINT_STATE
        self._order: list[int] | None = None
        self._message_names: list[str] = []

    def read(self, message: Any) -> Array:
        """Return the values of a message, shape (len(names),), SI units as in the message.

        Raises:
            SensorError: The message lacks an element, or a value is not finite.
        """
        values: list[float] = []
        if self._is_joint_state:
            order = self._joint_order(message.name)
            for getter, _, path in self._slots:
                column = getter(message)
                if len(column) != len(message.name):
                    raise SensorError(
                        f'{self._name}: JointState.{path} has {len(column)} values for '
                        f'{len(message.name)} joints; remove it from fields, or publish it'
                    )
                values.extend([column[i] for i in order])
        else:
            for getter, elements, path in self._slots:
                values.extend(self._elements(getter(message), elements, path))
        vector = np.array(values, dtype=np.float64)
        if not np.isfinite(vector).all():
            bad = [n for n, v in zip(self.names, vector, strict=True) if not np.isfinite(v)]
            raise SensorError(f'{self._name}: values are not finite: {", ".join(bad)}')
        return vector

    def _elements(self, value: Any, elements: tuple[str, ...], path: str) -> list[float]:
        if isinstance(value, (int, float)):
            return [float(value)]
        if hasattr(value, '__len__'):
            if len(value) != len(elements):
                raise SensorError(
                    f'{self._name}: {path} must hold {len(elements)} numbers, got {len(value)}'
                )
            return [float(v) for v in value]
        try:
            return [float(getattr(value, element)) for element in elements]
        except AttributeError:
            # Not a number and no vector: somebody stopped half way down.
            parts = getattr(value, 'get_fields_and_field_types', lambda: ())()
            raise SensorError(
                f'{self._name}: {path} is a {type(value).__name__}, no number; go on to '
                f'{", ".join(f"{path}.{part}" for part in parts) or "one of its fields"}'
            ) from None

    def _joint_order(self, names: Sequence[str]) -> list[int]:
        if self._order is None or list(names) != self._message_names:
            missing = [n for n in self._config.names if n not in names]
            if missing:
                raise SensorError(
                    f'{self._name}: JointState lacks {", ".join(missing)}; '
                    f'it has {", ".join(names) or "no joints"}'
                )
            self._message_names = list(names)
            self._order = [self._message_names.index(n) for n in self._config.names]
        return self._order

    def _joint_fields(self) -> dict[str, tuple[str, tuple[str, ...]]]:
        names = self._named()
        fields = self._config.fields or ('position', 'velocity')
        for field in fields:
            if field not in _JOINT_FIELDS:
                raise ConfigError(
                    f'sensors.{self._name}.fields: must be of {", ".join(_JOINT_FIELDS)}, '
                    f'got {field!r}'
                )
        return {field: (field, names) for field in fields}

    def _named(self) -> tuple[str, ...]:
        if not self._config.names:
            raise ConfigError(
                f'sensors.{self._name}.names: missing; list the elements of {self._config.type}'
            )
        return self._config.names

    def _paths(self) -> dict[str, tuple[str, tuple[str, ...]]]:
        if not self._config.fields:
            raise ConfigError(
                f'sensors.{self._name}.fields: missing; give dotted paths to numbers of '
                f'{self._config.type}'
            )
        fields = {}
        for field in self._config.fields:
            path, _, size = field.partition(':')
            if size and not size.isdigit():
                raise ConfigError(
                    f'sensors.{self._name}.fields: after the colon comes the number of elements, '
                    f'got {field!r}'
                )
            fields[path] = (path, tuple(str(i) for i in range(int(size or 1))))
        return fields


def readers(sensors: Mapping[str, SensorConfig]) -> dict[str, SensorReader]:
    """Return a reader for every sensor but the images."""
    return {
        name: SensorReader(name, config)
        for name, config in sensors.items()
        if normalised(config.type) not in IMAGE_TYPES
    }


def layout_of(sensors: Mapping[str, SensorReader]) -> SensorLayout:
    """Return the layout of all readers' values, one after the other."""
    return SensorLayout(reduce(lambda names, r: names + r.names, sensors.values(), ()))


def stamp_of(message: Any) -> int | None:
    """Return a message's stamp [ns], None without a header or with stamp 0."""
    header = getattr(message, 'header', None)
    if header is None:
        return None
    stamp = header.stamp
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec) or None


def _chosen(
    name: str, known: Mapping[str, tuple[str, tuple[str, ...]]], fields: Sequence[str]
) -> dict[str, tuple[str, tuple[str, ...]]]:
    for field in fields:
        if field not in known:
            raise ConfigError(
                f'sensors.{name}.fields: must be of {", ".join(known)}, got {field!r}'
            )
    return {field: known[field] for field in fields or known}
