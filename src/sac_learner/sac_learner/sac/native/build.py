"""Compiles the kernel: part of the package's build, and `python -m sac_learner.sac.native.build`.

Needs the standard library only, since setup.py runs it before anything is installed.
"""

import os
from pathlib import Path
import shutil
import subprocess
import sys

LIBRARY = '_kernel.so'
FLAGS = (
    '-std=c++20',
    '-O3',
    '-fno-math-errno',
    '-fno-trapping-math',
    '-fPIC',
    '-shared',
    '-pthread',
)
# The fastest set that the compiler takes: this processor's instructions, or any processor's.
TUNINGS: tuple[tuple[str, ...], ...] = (
    ('-march=native', '-mprefer-vector-width=512'),
    ('-march=native',),
    ('-mcpu=native',),
    (),
)


class BuildError(RuntimeError):
    """The kernel could not be compiled; learning falls back to torch."""


def build(target: Path) -> Path:
    """Compile the kernel into the file `target` and return it.

    Raises:
        BuildError: There is no compiler, or none of the settings worked.
    """
    compiler = os.environ.get('CXX') or shutil.which('g++') or shutil.which('clang++')
    if not compiler:
        raise BuildError('no C++ compiler found; install g++ (Debian: build-essential)')
    source = Path(__file__).with_name('kernel.cpp')
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(f'.{os.getpid()}.tmp')
    failures = []
    for tuning in TUNINGS:
        command = [*compiler.split(), *FLAGS, *tuning, str(source), '-o', str(temporary)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            temporary.replace(target)
            return target
        failures.append(done.stderr.strip().splitlines()[-1:] or [f'exit {done.returncode}'])
    temporary.unlink(missing_ok=True)
    raise BuildError(f'{compiler} could not compile {source.name}: {failures[-1][0]}')


if __name__ == '__main__':
    sys.stdout.write(f'{build(Path(__file__).with_name(LIBRARY))}\n')
