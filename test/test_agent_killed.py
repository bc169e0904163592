"""SIGKILL of the agent while it acts: the emulated robot rests, however patient its driver is."""

from pathlib import Path
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow
BENCH = Path(__file__).resolve().parents[1] / 'bench' / 'outage.py'
ATTEMPTS = 3  # the machine may stand still for a second; a chain that waits does so every time
NOTICED = ['--patience', '60', '--within', '0.9']  # by the driver's silence it would take 60 s


@pytest.mark.parametrize('robot', ['dclaw', 'minitaur', 'sawyer'])
def test_death_of_an_agent_is_noticed_without_waiting_for_its_next_command(robot):
    """The driver does not wait for it; how soon the robot is at rest is in docs/faults.md."""
    command = [sys.executable, str(BENCH), '--kill-agent', '2', '--settle', '8', *NOTICED]
    for _ in range(ATTEMPTS):
        result = subprocess.run(
            [*command, '--robots', robot], capture_output=True, text=True, timeout=200, check=False
        )
        if result.returncode == 0:
            break
    assert result.returncode == 0, result.stdout + result.stderr[-3000:]
    assert 'agent killed 2 times while acting: robot at rest' in result.stdout
    assert 'lost 0, doubled 0' in result.stdout
