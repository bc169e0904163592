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
ROS_SIDE = {
    'sac_core': {'executor.py', 'qos.py', 'parameters.py'},
    'sac_agent': {'node', 'tools/nudge.py', 'tools/preflight.py'},
    'sac_learner': {'node/learner_node.py'},
    'robot_drivers': {'node', 'minitaur/pd_node.py', 'gazebo/ros_wire.py'},
}
"""Files and folders that know rclpy; everything else of a package runs without ROS."""
AGENT_FLOORS = (
    'tasks', 'observation', 'policy', 'action', 'episode', 'pilot', 'journal', 'node', 'tools',
)  # fmt: skip
"""Parts of the agent; each imports only those before it. The files beside them are free."""
LEARNING = ('sac', 'replay', 'checkpoint', 'run', 'intake', 'training')
LEARNER_ARROWS: dict[str, tuple[str, ...]] = {
    'sac': (),
    'replay': (),
    'checkpoint': (),
    'run': (),
    'intake': ('replay', 'run'),
    'training': ('sac', 'replay', 'checkpoint', 'run', 'intake'),
    'node': LEARNING,
    'gym': LEARNING,
    'offline': (*LEARNING, 'gym'),
    'sweep': ('run',),
}
"""Parts of the learner, and which ones each may import. The files beside them are free."""
PICKLES = {'pickle', 'cloudpickle', 'dill', 'joblib', 'shelve', 'marshal'}
SIMULATION = {'sim', 'emulator', 'models', 'twin.py', 'emulator.py', 'world.py', 'plant.py',
              'simulation.py', 'stage.py', 'terrain.py'}  # fmt: skip


def modules(path: Path) -> Iterator[str]:
    """Return everything a file imports, with the names it takes from packages."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def imports(path: Path) -> set[str]:
    """Return the first part of everything a file imports."""
    return {module.split('.')[0] for module in modules(path)}


def files(package: str) -> list[Path]:
    return sorted((SRC / package / package).rglob('*.py'))


@pytest.mark.parametrize('package', FORBIDDEN)
def test_package_imports_no_sibling_and_no_heavy_library(package):
    wrong = {str(f): imports(f) & FORBIDDEN[package] for f in files(package)}
    assert not {file: names for file, names in wrong.items() if names}


@pytest.mark.parametrize('package', FORBIDDEN)
def test_nothing_can_unpickle(package):
    wrong = {str(f): imports(f) & PICKLES for f in files(package)}
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


@pytest.mark.parametrize('package', ROS_SIDE)
def test_only_nodes_and_their_topics_know_ros(package):
    root = SRC / package / package
    ours = {root / place for place in ROS_SIDE[package]}
    wrong = [f for f in files(package) if 'rclpy' in imports(f) and not ours & {f, *f.parents}]
    assert not wrong


@pytest.mark.parametrize('floor', AGENT_FLOORS)
def test_parts_of_the_agent_import_only_those_below(floor):
    root = SRC / 'sac_agent' / 'sac_agent'
    above = {f'sac_agent.{name}' for name in AGENT_FLOORS[AGENT_FLOORS.index(floor) + 1 :]}
    places = {root / floor, root / f'{floor}.py'}
    parts = [f for f in files('sac_agent') if places & {f, *f.parents}]
    assert parts
    for path in parts:
        assert not {'.'.join(m.split('.')[:2]) for m in modules(path)} & above, path


@pytest.mark.parametrize('part', LEARNER_ARROWS)
def test_parts_of_the_learner_import_only_what_they_stand_on(part):
    root = SRC / 'sac_learner' / 'sac_learner'
    parts = {path.parent.name for path in root.glob('*/__init__.py')}
    assert parts == set(LEARNER_ARROWS)
    others = {f'sac_learner.{name}' for name in parts - {part, *LEARNER_ARROWS[part]}}
    for path in (root / part).rglob('*.py'):
        assert not {'.'.join(m.split('.')[:2]) for m in modules(path)} & others, path


def test_arrows_of_the_learner_point_one_way():
    known: set[str] = set()
    for part, below in LEARNER_ARROWS.items():
        assert set(below) <= known, part
        known.add(part)
