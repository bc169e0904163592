"""The arrows of docs/architecture.md, read from every file, lazy imports included."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[1] / 'src'
HEAVY = {'torch', 'mujoco', 'gymnasium', 'tensorboard'}
FORBIDDEN = {
    'sac_core': HEAVY | {'sac_agent', 'sac_learner', 'robot_drivers', 'dynamixel_sdk'},
    'sac_agent': (HEAVY - {'gymnasium'}) | {'sac_learner', 'robot_drivers', 'dynamixel_sdk'},
    'sac_learner': {'mujoco', 'sac_agent', 'robot_drivers', 'dynamixel_sdk', 'cv2'},
    'robot_drivers': {'torch', 'gymnasium', 'sac_agent', 'sac_learner'},
}
NODES = ('_node.py',)
ROS = {'rclpy', 'rcl_interfaces', 'lifecycle_msgs', 'diagnostic_msgs'}
PICKLES = {'pickle', 'cloudpickle', 'dill', 'joblib', 'shelve', 'marshal'}
SIMULATION = {'sim', 'emulator', 'models', 'twin.py', 'emulator.py', 'world.py', 'plant.py',
              'simulation.py', 'stage.py', 'terrain.py'}  # fmt: skip


def imports(path: Path) -> Iterator[str]:
    """Return the first part of everything a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split('.')[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split('.')[0]


def files(package: str) -> list[Path]:
    return sorted((SRC / package / package).rglob('*.py'))


@pytest.mark.parametrize('package', FORBIDDEN)
def test_package_imports_no_sibling_and_no_heavy_library(package):
    wrong = {str(f): set(imports(f)) & FORBIDDEN[package] for f in files(package)}
    assert not {file: names for file, names in wrong.items() if names}


@pytest.mark.parametrize('package', FORBIDDEN)
def test_nothing_can_unpickle(package):
    wrong = {str(f): set(imports(f)) & PICKLES for f in files(package)}
    assert not {file: names for file, names in wrong.items() if names}
    unsafe = [
        f for f in files(package) if 'torch.load' in f.read_text() or 'yaml.load(' in f.read_text()
    ]
    assert not unsafe


def test_mujoco_stays_beside_the_emulators():
    for path in files('robot_drivers'):
        if 'mujoco' in imports(path):
            assert (
                set(path.relative_to(SRC / 'robot_drivers' / 'robot_drivers').parts) & SIMULATION
            ), path
