"""The compiled kernel behind ctypes; calls release the interpreter lock."""

import ctypes
from functools import cache
import os
from pathlib import Path
import platform

from sac_learner.sac.native.build import LIBRARY

OVERRIDE = 'SAC_LEARNER_KERNEL'
GROUP = 4  # most steps that are handed over at a time, SAC_GROUP of interface.hpp
Float = ctypes.c_float
Int = ctypes.c_int32
Pointer = ctypes.c_void_p


class Convolution(ctypes.Structure):
    """SacConvolution of interface.hpp."""

    _fields_ = (
        *((name, Int) for name in ('channels', 'kernel', 'stride', 'padding')),
        *((name, Int) for name in ('pool', 'pool_stride')),
    )


class Shape(ctypes.Structure):
    """SacShape of interface.hpp."""

    _fields_ = (
        *((name, Int) for name in ('vector', 'action', 'critics', 'actor_layers')),
        *((name, Int) for name in ('critic_layers', 'threads', 'has_target')),
        *((name, Int) for name in ('height', 'width', 'image_channels')),
        *((name, Int) for name in ('convolutions', 'shared_encoder')),
        *((name, Int) for name in ('actor_layer_norm', 'critic_layer_norm')),
        ('actor_hidden', ctypes.POINTER(Int)),
        ('critic_hidden', ctypes.POINTER(Int)),
        ('encoder', ctypes.POINTER(Convolution)),
        ('log_std_min', Float),
        ('log_std_max', Float),
    )


class Memory(ctypes.Structure):
    """SacMemory of interface.hpp."""

    _fields_ = (
        *((name, Pointer) for name in ('actor', 'actor_m', 'actor_v')),
        *((name, Pointer) for name in ('critic', 'critic_m', 'critic_v', 'target')),
        *((name, Pointer) for name in ('log_alpha', 'log_alpha_m', 'log_alpha_v')),
        ('average', Pointer),
    )


class Optimizer(ctypes.Structure):
    """SacOptimizer of interface.hpp."""

    _fields_ = (
        *((name, Float) for name in ('learning_rate', 'beta1', 'beta2', 'epsilon')),
        *((name, Float) for name in ('weight_decay', 'clip', 'correction1', 'correction2')),
    )


class Step(ctypes.Structure):
    """SacStep of interface.hpp."""

    _fields_ = (
        *((name, Int) for name in ('batch', 'update_actor', 'update_target')),
        ('learn_temperature', Int),
        *((name, Int) for name in ('entropy_backup', 'mean_reduction', 'subset_size')),
        *((name, Pointer) for name in ('subset', 'vector', 'action', 'reward', 'discount')),
        *((name, Pointer) for name in ('next_vector', 'next_noise', 'noise')),
        *((name, Pointer) for name in ('image', 'next_image', 'shifts')),
        *((name, Pointer) for name in ('target_masks', 'critic_masks', 'actor_masks')),
        ('metrics', Pointer),
        *((name, Float) for name in ('tau', 'target_entropy', 'average')),
        *((name, Optimizer) for name in ('actor', 'critic', 'temperature')),
    )


class KernelError(RuntimeError):
    """The kernel cannot be used on this machine."""


@cache
def kernel() -> ctypes.CDLL:
    """Load the kernel.

    Raises:
        KernelError: It was not built, or from other sources, or for another processor.
    """
    path = Path(os.environ.get(OVERRIDE) or Path(__file__).with_name(LIBRARY))
    if not path.is_file():
        raise KernelError(
            f'{path} does not exist: the package was built without a C++ compiler; build it again '
            'with g++, or run python3 -m sac_learner.sac.native.build'
        )
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise KernelError(f'{path} cannot be loaded: {error}; build the package again') from error
    library.sac_instructions.restype = ctypes.c_char_p
    needed = set(library.sac_instructions().decode().split())
    lacking = needed - _processor_flags() if platform.machine() == 'x86_64' else set()
    if lacking:
        raise KernelError(
            f'{path} was built for a processor with {sorted(lacking)}; build it on this machine'
        )
    expected = ctypes.sizeof(Shape) * 1000 + ctypes.sizeof(Step)
    interface = getattr(library, 'sac_interface', None)
    if interface is None or interface() != expected:
        raise KernelError(f'{path} was built from other sources; build the package again')
    library.sac_create.restype = Pointer
    library.sac_create.argtypes = (ctypes.POINTER(Shape), ctypes.POINTER(Memory))
    library.sac_destroy.argtypes = (Pointer,)
    library.sac_destroy.restype = None
    library.sac_refresh.argtypes = (Pointer,)
    library.sac_refresh.restype = None
    library.sac_submit.argtypes = (Pointer, ctypes.POINTER(Step), Int)
    library.sac_submit.restype = None
    library.sac_wait.argtypes = (Pointer,)
    library.sac_wait.restype = None
    return library


def _processor_flags() -> set[str]:
    for line in Path('/proc/cpuinfo').read_text(encoding='ascii', errors='replace').splitlines():
        if line.startswith('flags'):
            return set(line.partition(':')[2].split())
    return set()
