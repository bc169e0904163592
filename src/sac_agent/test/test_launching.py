"""What launch files check before anything starts."""

from pathlib import Path

import pytest

pytest.importorskip('launch')

from sac_agent import launching

ROBOT = Path(__file__).resolve().parents[3] / 'config' / 'dclaw_valve.yaml'


def test_one_robot_keeps_its_name_and_several_have_numbers():
    value = {'robots': '1', 'seed': '7', 'backend': 'sim'}
    assert launching.simulated_robots('claw', value) == [{'namespace': 'claw', 'seed': '7'}]
    assert launching.simulated_robots('claw', value | {'robots': '2'}) == [
        {'namespace': 'claw1', 'seed': '7', 'clock_topic': '/claw1/clock'},
        {'namespace': 'claw2', 'seed': '8', 'clock_topic': '/claw2/clock'},
    ]


@pytest.mark.parametrize(
    ('change', 'text'),
    [
        ({'robots': 'two'}, "robots must be a whole number, got 'two'"),
        ({'robots': '0'}, r'robots must lie in \[1, 64\], got 0'),
        ({'robots': '2', 'backend': 'hardware'}, 'only simulated ones start together'),
    ],
)
def test_numbers_of_robots_that_cannot_be_started_are_refused(change, text):
    with pytest.raises(RuntimeError, match=text):
        launching.simulated_robots('claw', {'robots': '1', 'seed': '0', 'backend': 'sim'} | change)


@pytest.mark.parametrize(
    ('text', 'expected'), [('', ['']), ('arm', ['arm']), ('left, right', ['left', 'right'])]
)
def test_namespaces_are_separated_by_commas(text, expected):
    assert launching.namespaces({'namespace': text}) == expected


@pytest.mark.parametrize('text', ['arm,arm', 'arm,'])
def test_robots_of_one_name_are_refused(text):
    with pytest.raises(RuntimeError, match='namespace must be one name, or different ones'):
        launching.namespaces({'namespace': text})


def test_several_robots_do_not_share_a_topic(tmp_path):
    settings = tmp_path / 'absolute.yaml'
    settings.write_text(
        '/**/sac_agent: {ros__parameters: {actions.joints.topic: /claw/joint_command}}'
    )
    launching.refuse_shared_topics({'robot': str(ROBOT), 'settings': ''})
    with pytest.raises(RuntimeError, match=r'joints\.topic: all robots would share /claw/joint_c'):
        launching.refuse_shared_topics({'robot': str(ROBOT), 'settings': str(settings)})


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(RuntimeError, match=r'there is no robot file .*none\.yaml'):
        launching.parameter_files({'robot': 'none.yaml', 'settings': ''})


def test_a_run_is_new_or_resumed_and_never_both(tmp_path):
    run = tmp_path / 'run'
    fresh = {'robot': str(ROBOT), 'run_dir': str(run), 'resume': ''}
    assert launching.run_directory(fresh, new=True) == str(run)
    with pytest.raises(RuntimeError, match='holds no run'):
        launching.run_directory(fresh | {'resume': str(run)}, new=True)
    run.mkdir()
    (run / 'environment.json').write_text('{}')
    assert launching.run_directory(fresh | {'resume': str(run)}, new=True) == str(run)
    with pytest.raises(RuntimeError, match='holds a run already; go on with resume:='):
        launching.run_directory(fresh, new=True)
    assert launching.run_directory(fresh, new=False) == str(run)
