"""The tutorial docs/your_robot.md, executed: its files are written, its commands run, in order."""

from collections.abc import Iterator
from dataclasses import dataclass
import os
from pathlib import Path
import re
import signal
import subprocess

import pytest

pytest.importorskip('rclpy')
index = pytest.importorskip('ament_index_python.packages')

pytestmark = pytest.mark.slow
TUTORIAL = Path(__file__).resolve().parents[1] / 'docs' / 'your_robot.md'
FILE = re.compile(r'^`(?P<path>[^`\n]+)`:\n\n```\w+\n(?P<text>.*?)^```$', re.M | re.S)
SCRIPT = re.compile(r'^```bash\n(?P<text>.*?)^```$', re.M | re.S)
STAYS = '# stays'


@dataclass(frozen=True)
class Step:
    """What a reader does in one terminal."""

    text: str

    @property
    def stays(self) -> bool:
        return STAYS in self.text


def files() -> dict[str, str]:
    return {found['path']: found['text'] for found in FILE.finditer(TUTORIAL.read_text())}


def steps() -> list[Step]:
    return [Step(found['text']) for found in SCRIPT.finditer(TUTORIAL.read_text())]


class Reader:
    """Somebody in an empty home directory, with a built clone of this repository in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._stayed: list[subprocess.Popen[str]] = []
        (home / 'sac_robots').mkdir()
        installed = Path(index.get_package_prefix('sac_agent')).parent
        (home / 'sac_robots' / 'install').symlink_to(installed)
        for path, text in files().items():
            (home / path).parent.mkdir(parents=True, exist_ok=True)
            (home / path).write_text(text)

    def does(self, step: Step, timeout: float) -> str:
        """Do it, with yes for an answer; return what came on the screen."""
        log = (self.home / f'step{len(list(self.home.glob("step*.log")))}.log').open('w+')
        process = subprocess.Popen(
            ['bash', '-c', f'set -e\n{step.text}'],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.home,
            start_new_session=True,
            env={**os.environ, 'CI': 'true', 'HOME': str(self.home)},
        )
        self._stayed.append(process)
        if step.stays:
            return ''
        process.communicate('yes\n', timeout=timeout)
        log.seek(0)
        text = log.read()
        assert process.returncode == 0, f'{step.text}\n{text[-3000:]}'
        return text

    def leaves(self) -> None:
        for process in self._stayed:
            for number in (signal.SIGINT, signal.SIGKILL):
                try:
                    os.killpg(process.pid, number)
                    process.wait(10)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    continue


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    someone = Reader(tmp_path)
    yield someone
    someone.leaves()


def test_the_foreign_robot_is_learned_by_the_commands_of_the_tutorial(reader: Reader) -> None:
    build, robot, check, learn, look, evaluate = steps()
    reader.does(build, 120)
    reader.does(robot, 0)
    checked = reader.does(check, 60)
    assert 'task arm_reach, 20 Hz, 6 observations, 2 actions' in checked
    assert 'shoulder, elbow: each moves by 3 % of its range and back.' in checked
    assert 'Is everybody clear of the robot? [y/N] no problem found' in checked
    learned = reader.does(learn, 480)
    assert 'finished: solved after' in learned, learned[-3000:]
    assert 'result         solved after' in reader.does(look, 10)
    tested = reader.does(evaluate, 120)
    success = re.search(r'success (\d+) % of 5', tested)
    assert success is not None, tested[-3000:]
    assert int(success[1]) >= 60


def test_every_file_and_command_of_the_tutorial_is_found() -> None:
    assert {Path(path).name for path in files()} == {
        'package.xml', 'setup.py', 'arm.py', 'kinematics.py', 'my_arm.yaml', 'reach.py',
    }  # fmt: skip
    assert [step.stays for step in steps()] == [False, True, False, False, False, False]


def test_the_tutorial_touches_no_file_of_ours() -> None:
    assert all(path.startswith('arm_ws/src/my_arm/') for path in files())
