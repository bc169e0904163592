import csv
import errno
import json
import os

from sac_learner.run import metrics, report
from sac_learner.run.progress import clock, Progress

EPISODE = {
    'agent': 'claw', 'episode': 0, 'evaluation': False, 'steps': 100, 'length': 100,
    'duration': 10.0, 'return': -50.0, 'success': False, 'terminated': False,
    'truncation_reason': 1, 'policy_version': 3,
}  # fmt: skip
EVALUATION = {
    'agent': 'claw', 'steps': 100, 'policy_version': 3, 'episodes': 20, 'success_rate': 0.95,
    'return': -20.0, 'solved': True,
}  # fmt: skip


def write_run(tmp_path):
    writer = metrics.Metrics(tmp_path, tensorboard=False)
    writer.episode(EPISODE, {'median_distance': 1.0})
    writer.evaluation(EVALUATION, {'median_distance': 0.05})
    writer.training(100, 100, {'critic_loss': float('nan'), 'updates_per_second': 150.0})
    writer.close()


def test_every_record_is_one_json_line(tmp_path):
    write_run(tmp_path)
    lines = (tmp_path / 'metrics.jsonl').read_text().splitlines()
    kinds = [json.loads(line)['kind'] for line in lines]
    assert kinds == ['episode', 'evaluation', 'training']


def test_nan_becomes_null(tmp_path):
    write_run(tmp_path)
    assert metrics.read(tmp_path / 'metrics.jsonl', 'training')[0]['critic_loss'] is None


def test_torn_last_line_is_left_out(tmp_path):
    write_run(tmp_path)
    path = tmp_path / 'metrics.jsonl'
    path.write_text(path.read_text()[:-20])
    assert len(metrics.read(path)) == 2


def test_episodes_are_a_table(tmp_path):
    write_run(tmp_path)
    with (tmp_path / 'episodes.csv').open() as file:
        (row,) = csv.DictReader(file)
    assert row['return'] == '-50.0'
    assert row['median_distance'] == '1.0'


def test_report_draws_the_curve_and_says_when_solved(tmp_path, capsys):
    write_run(tmp_path)
    assert report.main([str(tmp_path), '--paper-steps', '40000']) == 0
    assert (tmp_path / 'learning_curve.png').stat().st_size > 10_000
    assert 'solved after 100 steps' in capsys.readouterr().out


def test_every_robot_has_a_curve_and_a_line_of_its_own(tmp_path):
    writer = metrics.Metrics(tmp_path, tensorboard=False)
    for steps in (100, 200, 300):
        for agent, value in (('left', 1.0), ('right', 2.0)):
            episode = {**EPISODE, 'agent': agent, 'steps': steps, 'return': -100.0 * value}
            writer.episode(episode, {'median_distance': value})
    writer.evaluation({**EVALUATION, 'agent': 'right'}, {'median_distance': 0.05})
    writer.close()
    records = metrics.read(tmp_path / 'metrics.jsonl')
    text = report.summary(tmp_path, records)
    assert 'robot left     300 steps, 0.01 h in 3 episodes, return -100.0 in the last 3' in text
    assert 'robot right    300 steps, 0.01 h in 3 episodes, return -200.0 in the last 3' in text
    axis = report.draw(records, 'median_distance', 'distance [rad]').axes[0]
    assert axis.get_ylabel() == 'distance [rad]'
    assert axis.get_legend_handles_labels()[1] == ['left, median of 20', 'right, median of 20']
    shown = {line.get_label(): list(line.get_ydata()) for line in axis.get_lines()}
    assert shown['left, median of 20'] == [1.0, 1.0, 1.0]


def test_report_tells_the_hours_of_every_robot(tmp_path):
    writer = metrics.Metrics(tmp_path, tensorboard=False)
    hours = {'resetting': 0.5, 'waiting': 0.25, 'human': 0.0, 'fault': 0.05}
    for acting, misses in ((0.5, 3), (1.0, 7), (1.25, 2)):  # the last from a restarted agent
        writer.hours('left', {'acting': acting, **hours, 'steps': 4000, 'deadline_misses': misses})
    writer.hours('right', {'acting': 2.0, **hours, 'steps': 8000, 'deadline_misses': 0})
    writer.close()
    text = report.summary(tmp_path, metrics.read(tmp_path / 'metrics.jsonl'))
    assert (
        'left: acting 1.25, resetting 0.50, waiting 0.25, human 0.00, fault 0.05; '
        '9 of 4000 steps missed their deadline'
    ) in text
    assert 'right: acting 2.00' in text


def test_a_full_disk_delays_records_and_loses_none(tmp_path, monkeypatch):
    writer = metrics.Metrics(tmp_path, tensorboard=False)
    writer.event('first')
    write, room = os.write, [10]

    def full(file, data):
        taken, room[0] = min(len(data), room[0]), 0
        if not taken:
            raise OSError(errno.ENOSPC, 'No space left on device')
        return write(file, data[:taken])

    with monkeypatch.context() as context:
        context.setattr(os, 'write', full)
        writer.event('second')
        writer.episode(EPISODE, {})
        assert 'metrics.jsonl cannot be written: No space left' in writer.problem
    writer.event('third')
    writer.episode(EPISODE, {})
    assert writer.problem == ''
    writer.close()
    events = metrics.read(tmp_path / 'metrics.jsonl', 'event')
    assert [event['event'] for event in events] == ['first', 'second', 'third']
    with (tmp_path / 'episodes.csv').open() as file:
        assert len(list(csv.DictReader(file))) == 2


def test_what_follows_a_torn_line_is_kept(tmp_path):
    write_run(tmp_path)
    path = tmp_path / 'metrics.jsonl'
    path.write_text(path.read_text()[:-20])  # killed while writing
    writer = metrics.Metrics(tmp_path, tensorboard=False)
    writer.event('start')
    writer.close()
    assert [record['kind'] for record in metrics.read(path)] == ['episode', 'evaluation', 'event']


def test_report_on_no_run_directory_is_one_line(tmp_path, capsys):
    assert report.main([str(tmp_path / 'nothing')]) == 2
    assert 'is no run directory' in capsys.readouterr().err


def test_progress_line_knows_the_remaining_time():
    progress = Progress(limit=1000)
    progress.observe(0, 0.0)
    progress.observe(100, 10.0)
    assert progress.remaining() == 90.0
    assert '100/1000 steps' in progress.line()
    assert 'ETA 01:30' in progress.line()


def test_clock_shows_hours_only_when_there_are_some():
    assert (clock(75), clock(3675)) == ('01:15', '1:01:15')
