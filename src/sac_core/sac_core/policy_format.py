"""The one representation of a policy on the wire, in checkpoints and in bags: no pickle.

A policy is an `Architecture` and the float32 arrays of its `layout`. On the wire the arrays are
concatenated, little-endian, in layout order; a file is a safetensors file with the same names.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
import json
import math
from pathlib import Path
from typing import Any
import zlib

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Layout = tuple[tuple[str, tuple[int, ...]], ...]

ACTIVATIONS = ('relu', 'tanh', 'elu', 'silu')


class PolicyFormatError(ValueError):
    """Data that are no policy of the expected architecture."""


@dataclass(frozen=True)
class ConvLayer:
    """Convolution, ReLU, then max pooling (`pool` 1: none). Pooling uses no padding."""

    channels: int
    kernel: int
    stride: int = 1
    padding: int = 0
    pool: int = 1
    pool_stride: int = 1

    def output(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width that follow from those of the input."""

        def size(n: int) -> int:
            convolved = (n + 2 * self.padding - self.kernel) // self.stride + 1
            return (convolved - self.pool) // self.pool_stride + 1

        return size(height), size(width)


@dataclass(frozen=True)
class Architecture:
    """Squashed-Gaussian policy, `tanh(mean + exp(log_std) * noise)`.

    The input is `concat(flatten(encoder(image / 255)), (vector - mean) / std)`, the image as
    channels x height x width; each hidden layer is `x @ W + b`, layer norm (epsilon 1e-5) where
    asked for, then the activation. `log_std` is clipped to `log_std_bounds`.
    """

    vector_size: int
    action_size: int
    image_shape: tuple[int, int, int] | None = None
    hidden: tuple[int, ...] = (256, 256)
    activation: str = 'relu'
    layer_norm: bool = False
    encoder: tuple[ConvLayer, ...] = ()
    log_std_bounds: tuple[float, float] = (-20.0, 2.0)

    def __post_init__(self) -> None:
        """Check that the layers fit together."""
        if self.activation not in ACTIVATIONS:
            raise PolicyFormatError(
                f'activation must be one of {ACTIVATIONS}, got {self.activation!r}'
            )
        if self.vector_size < 0 or self.action_size < 1 or any(n < 1 for n in self.hidden):
            raise PolicyFormatError(
                'vector_size must be >= 0, action_size and hidden sizes >= 1, got '
                f'{self.vector_size}, {self.action_size}, {self.hidden}'
            )
        if bool(self.encoder) != (self.image_shape is not None):
            raise PolicyFormatError(
                'an encoder and an image shape are given together or not at all'
            )
        if self.feature_size + self.vector_size < 1:
            raise PolicyFormatError('the policy has no input')

    @property
    def feature_size(self) -> int:
        """Number of image features, 0 without an image."""
        if self.image_shape is None:
            return 0
        height, width, channels = self.image_shape
        for layer in self.encoder:
            height, width = layer.output(height, width)
            channels = layer.channels
        if height < 1 or width < 1:
            raise PolicyFormatError(f'image {self.image_shape} is too small for {self.encoder}')
        return height * width * channels

    def to_json(self) -> str:
        """Return the text form used on the wire."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> 'Architecture':
        """Read the text form.

        Raises:
            PolicyFormatError: The text is no architecture.
        """
        try:
            values = json.loads(text)
            values['encoder'] = tuple(ConvLayer(**layer) for layer in values['encoder'])
            values['hidden'] = tuple(int(n) for n in values['hidden'])
            low, high = values['log_std_bounds']
            values['log_std_bounds'] = (float(low), float(high))
            if values['image_shape'] is not None:
                height, width, channels = values['image_shape']
                values['image_shape'] = (int(height), int(width), int(channels))
            return cls(**values)
        except PolicyFormatError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise PolicyFormatError(f'no policy architecture: {error}: {text[:80]!r}') from error


def layout(architecture: Architecture) -> Layout:
    """Return name and shape of every array, in the order in which they are packed."""
    arrays: list[tuple[str, tuple[int, ...]]] = [
        ('observation.mean', (architecture.vector_size,)),
        ('observation.std', (architecture.vector_size,)),
    ]
    channels = architecture.image_shape[2] if architecture.image_shape else 0
    for i, conv in enumerate(architecture.encoder):
        shape = (conv.channels, channels, conv.kernel, conv.kernel)
        arrays += [(f'encoder.{i}.weight', shape), (f'encoder.{i}.bias', (conv.channels,))]
        channels = conv.channels
    size = architecture.feature_size + architecture.vector_size
    for i, units in enumerate(architecture.hidden):
        arrays += [(f'hidden.{i}.weight', (size, units)), (f'hidden.{i}.bias', (units,))]
        if architecture.layer_norm:
            arrays += [(f'hidden.{i}.norm.weight', (units,)), (f'hidden.{i}.norm.bias', (units,))]
        size = units
    for head in ('mean', 'log_std'):
        arrays += [
            (f'{head}.weight', (size, architecture.action_size)),
            (f'{head}.bias', (architecture.action_size,)),
        ]
    return tuple(arrays)


def pack(arrays: Mapping[str, npt.ArrayLike], architecture: Architecture) -> bytes:
    """Return all arrays of the layout as little-endian float32, one after the other.

    Raises:
        PolicyFormatError: An array is missing, superfluous, of another shape, or not finite.
    """
    return b''.join(
        array.astype('<f4').tobytes() for array in _checked(arrays, architecture).values()
    )


def unpack(data: bytes | memoryview, architecture: Architecture) -> dict[str, Array]:
    """Return the arrays behind `data`, read-only views where the machine is little-endian.

    Raises:
        PolicyFormatError: The size does not fit the architecture or a number is not finite.
    """
    shapes = layout(architecture)
    expected = 4 * sum(math.prod(shape) for _, shape in shapes)
    if len(data) != expected:
        raise PolicyFormatError(f'weights must be {expected} bytes long, got {len(data)}')
    flat = np.frombuffer(data, dtype='<f4')
    arrays: dict[str, npt.ArrayLike] = {}
    start = 0
    for name, shape in shapes:
        size = math.prod(shape)
        arrays[name] = flat[start : start + size].reshape(shape)
        start += size
    return _checked(arrays, architecture)


def checksum(data: bytes | memoryview) -> int:
    """Return the CRC-32 of packed weights."""
    return zlib.crc32(data)


def save_policy(
    path: Path,
    arrays: Mapping[str, npt.ArrayLike],
    architecture: Architecture,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a policy as a safetensors file; `metadata` are texts such as the spec hash."""
    from safetensors.numpy import save_file

    content = {name: np.ascontiguousarray(a) for name, a in _checked(arrays, architecture).items()}
    save_file(content, str(path), {**(metadata or {}), 'architecture': architecture.to_json()})


def load_policy(path: Path) -> tuple[Architecture, dict[str, Array], dict[str, str]]:
    """Read architecture, arrays and metadata of a policy file.

    Raises:
        PolicyFormatError: There is no such file, or it is no policy.
    """
    from safetensors import safe_open, SafetensorError

    try:
        with safe_open(str(path), framework='numpy') as file:
            metadata = dict(file.metadata() or {})
            arrays: dict[str, Any] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise PolicyFormatError(f'{path} is no policy file: {error}') from error
    if 'architecture' not in metadata:
        raise PolicyFormatError(f'{path} holds no architecture, so it is no policy file')
    architecture = Architecture.from_json(metadata['architecture'])
    return architecture, _checked(arrays, architecture), metadata


def _checked(arrays: Mapping[str, npt.ArrayLike], architecture: Architecture) -> dict[str, Array]:
    shapes = dict(layout(architecture))
    if arrays.keys() != shapes.keys():
        missing, superfluous = shapes.keys() - arrays.keys(), arrays.keys() - shapes.keys()
        raise PolicyFormatError(
            f'weights lack {sorted(missing)} and have superfluous {sorted(superfluous)}'
        )
    checked: dict[str, Array] = {}
    for name, shape in shapes.items():
        array = np.asarray(arrays[name], dtype=np.float32)
        if array.shape != shape:
            raise PolicyFormatError(f'{name} must have shape {shape}, got {array.shape}')
        if not np.isfinite(array).all():
            raise PolicyFormatError(f'{name} holds numbers that are not finite')
        checked[name] = array
    return checked
