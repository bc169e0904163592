"""What gazebo.launch.py starts; in the place of Gazebo are programs that note their arguments."""

import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import time
from xml.etree import ElementTree

import pytest
import yaml

pytestmark = pytest.mark.slow
PACKAGES = {
    'controller_manager': 'spawner',
    'gz_ros2_control': '',
    'robot_state_publisher': 'robot_state_publisher',
    'ros_gz_bridge': 'parameter_bridge',
}
NOTE = """#!{python}
import json, os, pathlib, sys, time
files = {{w: pathlib.Path(w).read_text() for w in sys.argv[1:] if os.path.isfile(w)}}
note = json.dumps({{'argv': sys.argv[1:], 'files': files}})
pathlib.Path({notes!r}, os.path.basename(sys.argv[0]) + '.json').write_text(note)
time.sleep(100)
"""


def program(path: Path, notes: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(NOTE.format(python=sys.executable, notes=str(notes)))
    path.chmod(0o755)


@pytest.fixture
def launch(tmp_path):
    """Return a function that launches with arguments until every program has noted its own."""
    notes, prefix = tmp_path / 'notes', tmp_path / 'prefix'
    notes.mkdir()
    index = prefix / 'share' / 'ament_index' / 'resource_index' / 'packages'
    index.mkdir(parents=True)
    for package, executable in PACKAGES.items():
        (index / package).touch()
        (prefix / 'lib' / package).mkdir(parents=True)
        if executable:
            program(prefix / 'lib' / package / executable, notes)
    program(tmp_path / 'bin' / 'gz', notes)
    environment = os.environ | {
        'AMENT_PREFIX_PATH': f'{prefix}:{os.environ["AMENT_PREFIX_PATH"]}',
        'PATH': f'{tmp_path / "bin"}:{os.environ["PATH"]}',
        'TMPDIR': str(tmp_path),
    }
    processes = []

    def run(*arguments):
        command = ['ros2', 'launch', 'sac_agent', 'gazebo.launch.py', *arguments]
        log = (tmp_path / 'launch.log').open('w')
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        processes.append(process)
        wanted = {'gz', *filter(None, PACKAGES.values())}
        deadline = time.monotonic() + 60
        while {path.stem for path in notes.glob('*.json')} != wanted:
            assert time.monotonic() < deadline, (tmp_path / 'launch.log').read_text()
            time.sleep(0.2)
        return {path.stem: json.loads(path.read_text()) for path in notes.glob('*.json')}

    yield run
    for process in processes:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=30)
        finally:
            for line in Path('/proc').glob('[0-9]*/stat'):
                try:
                    if os.getsid(int(line.parent.name)) == process.pid:
                        os.kill(int(line.parent.name), signal.SIGKILL)
                except (ProcessLookupError, PermissionError):
                    continue


def test_gazebo_gets_the_world_and_the_spawner_the_controllers(launch, tmp_path):
    seen = launch('robot:=dclaw', 'gui:=false', f'run_dir:={tmp_path / "run"}', 'film:=false')
    *options, world = seen['gz']['argv']
    assert options == ['sim', '-r', '-s']
    plugin = next(
        element
        for element in ElementTree.fromstring(seen['gz']['files'][world]).iter('plugin')
        if element.get('filename') == 'gz_ros2_control-system'
    )
    parameters = Path(plugin.find('parameters').text)
    assert plugin.find('ros/namespace').text == '/dclaw/gazebo'
    controllers = yaml.safe_load(parameters.read_text())
    spawned = seen['spawner']['argv']
    ros = spawned.index('--ros-args')
    *names, flag, manager = spawned[:ros]
    assert (flag, manager) == ('--controller-manager', '/dclaw/gazebo/controller_manager')
    configured = controllers['/**/controller_manager']['ros__parameters']
    assert {'update_rate', *names} == set(configured)
    for note in ('parameter_bridge', 'robot_state_publisher', 'spawner'):
        assert '__ns:=/dclaw/gazebo' in seen[note]['argv']
    given = yaml.safe_load('\n'.join(seen['parameter_bridge']['files'].values()))
    (values,) = given.values()
    bridged = yaml.safe_load(Path(values['ros__parameters']['config_file']).read_text())
    assert {entry['ros_topic_name'] for entry in bridged} == {'/clock', 'image_raw'}
    text = '\n'.join(seen['robot_state_publisher']['files'].values())
    (values,) = yaml.safe_load(text).values()
    description = ElementTree.fromstring(values['ros__parameters']['robot_description'].encode())
    assert description.get('name') == 'dclaw'


def test_launch_without_gazebo_says_what_is_missing(tmp_path):
    result = subprocess.run(
        ['ros2', 'launch', 'sac_agent', 'gazebo.launch.py', 'robot:=sawyer'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 1
    assert 'not installed: gz, controller_manager' in result.stdout + result.stderr
    assert 'docs/gazebo.md' in result.stdout + result.stderr
