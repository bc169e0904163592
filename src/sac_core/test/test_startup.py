import os
import signal
import subprocess
import sys

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
