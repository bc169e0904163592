"""Isolation of the tests from each other and from every robot in the network."""

from collections.abc import Iterator
import os
from pathlib import Path
import shutil
import subprocess

import pytest

FIRST_DOMAIN, DOMAINS = 100, 130  # 0 to 232 are valid; people and robots use the low ones


def pytest_configure(config: pytest.Config) -> None:
    """Give the whole run a middleware of its own before anything imports rclpy."""
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    os.environ['ROS_DOMAIN_ID'] = str(_domain(0))
    os.environ.setdefault('ROS_PYTHON_CHECK_FIELDS', '1')  # messages refuse wrong types
    os.environ.setdefault('MUJOCO_GL', 'egl')  # chosen when mujoco is imported, whoever does it
    for name in (
        'ROS_STATIC_PEERS',
        'FASTRTPS_DEFAULT_PROFILES_FILE',
        'FASTDDS_DEFAULT_PROFILES_FILE',
    ):
        os.environ.pop(name, None)


@pytest.fixture(autouse=True, scope='session')
def ros_log_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep the log of every node out of the user's home."""
    directory = tmp_path_factory.mktemp('ros_log')
    os.environ['ROS_LOG_DIR'] = str(directory)
    return directory


@pytest.fixture(autouse=True)
def ros_domain_id(request: pytest.FixtureRequest) -> Iterator[int]:
    """Give each test another domain than its neighbours, in time and in other workers."""
    tests = request.session.items
    domain = _domain(tests.index(request.node) if request.node in tests else 0)
    before = os.environ.get('ROS_DOMAIN_ID')
    os.environ['ROS_DOMAIN_ID'] = str(domain)
    yield domain
    os.environ['ROS_DOMAIN_ID'] = before or str(domain)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the shared memory of processes that were killed; that of living ones stays."""
    if shutil.which('fastdds') and 'PYTEST_XDIST_WORKER' not in os.environ:
        subprocess.run(
            ['fastdds', 'shm', 'clean'],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )


def _domain(test: int) -> int:
    """Return a domain of this worker's share; other runs on this machine begin elsewhere."""
    workers = int(os.environ.get('PYTEST_XDIST_WORKER_COUNT', '1'))
    worker = int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0').removeprefix('gw'))
    run = os.getppid() if 'PYTEST_XDIST_WORKER' in os.environ else os.getpid()
    share = DOMAINS // workers
    within = (run * 7 + worker * share + test % share) % DOMAINS
    return FIRST_DOMAIN + within
