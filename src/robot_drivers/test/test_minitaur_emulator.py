"""The emulator of Minitaur: whom it obeys, and its command line."""

import pytest

pytest.importorskip('mujoco')

from robot_drivers.errors import StaleStateError
from robot_drivers.minitaur import leg
from robot_drivers.minitaur.emulator import parse

from .minitaur_rig import Rig


@pytest.fixture
def lockstep():
    rig = Rig()
    yield rig
    rig.close()


def test_no_session_begins_in_motion(lockstep):
    robot = lockstep.standing(reply_timeout=0.01, retries=1)
    robot._link.renew()
    with pytest.raises(StaleStateError):
        robot.command(leg.NEUTRAL)
    assert lockstep.status()['rejected'] > 0


def test_command_line_describes_the_world():
    config, options = parse(
        [
            '--terrain',
            'stairs_down',
            '--gain',
            '0.5',
            '--clock',
            'wall',
            '--ros-args',
            '-r',
            'x:=y',
        ]
    )
    assert config.terrain.kind == 'stairs_down'
    assert config.controller.gain == 0.5
    assert options['clock'] == 'wall'


@pytest.mark.parametrize('wrong', [['--terrain', 'lava'], ['--friction', '-1'], ['--speed', '2']])
def test_wrong_argument_ends_with_code_2(wrong, capsys):
    with pytest.raises(SystemExit) as caught:
        parse(wrong)
    assert caught.value.code == 2
    assert capsys.readouterr().err
