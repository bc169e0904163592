import os
import signal
import subprocess
import sys

import pytest

SLOW = """
import pathlib, sys, time
pathlib.Path(sys.argv[1]).touch()
time.sleep(60)
def main(): return 0
"""


def test_signal_during_slow_imports_ends_quietly(tmp_path):
    (tmp_path / 'slow_module.py').write_text(SLOW)
    marker = tmp_path / 'importing'
    process = subprocess.Popen(
        [sys.executable, '-c', "from sac_core.startup import run; run('slow_module')", marker],
        env={**os.environ, 'PYTHONPATH': f'{tmp_path}:{os.environ.get("PYTHONPATH", "")}'},
        stderr=subprocess.PIPE,
    )
    while not marker.exists():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, b'')


NODE = """
import rclpy
def main():
    rclpy.init()
    rclpy.create_node('sound')
"""


@pytest.mark.parametrize(
    ('arguments', 'reason'),
    [
        (['--params-file', 'mixed.yaml'], "params file: '--params-file mixed.yaml'"),
        (['--params-file', 'missing.yaml'], "params file: '--params-file missing.yaml'"),
        (['-p', 'rate'], "parameter override rule: '-p rate'"),
        (['--no-such-option'], 'unknown ROS arguments'),
    ],
)
def test_what_ros_cannot_read_ends_with_code_2_and_one_line(tmp_path, arguments, reason):
    pytest.importorskip('rclpy')
    (tmp_path / 'some_node.py').write_text(NODE)
    (tmp_path / 'mixed.yaml').write_text('/**:\n  ros__parameters:\n    list: [1.0, a]\n')
    program = "import sys; from sac_core.startup import run; sys.exit(run('some_node'))"
    result = subprocess.run(
        [sys.executable, '-c', program, '--ros-args', *arguments],
        cwd=tmp_path,
        env={
            **os.environ,
            'PYTHONPATH': os.pathsep.join([str(tmp_path), *filter(None, sys.path)]),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 2, result.stderr
    lines = [line for line in result.stderr.splitlines() if '[rcl]' not in line]
    assert len(lines) == 1, result.stderr
    assert reason in lines[0]
