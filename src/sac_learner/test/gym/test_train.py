"""Training on Gymnasium from the command line: runs, resumes, stops, and what it stores."""

import json
import os
from pathlib import Path
import re
import signal
import subprocess
import sys
import time

import gymnasium
import numpy as np
import pytest
import yaml

from sac_learner.gym import evaluate, export, plot, train
from sac_learner.replay import Replay
from sac_learner.run import metrics

SMALL = [
    'actor_hidden=64,64', 'critic_hidden=64,64', 'learning_starts=50', 'warmup_steps=50',
    'batch_size=32', 'replay_capacity=5000', 'tensorboard=false',
]  # fmt: skip
ENVIRONMENT = """
import gymnasium
import numpy as np

class Counter(gymnasium.Env):
    observation_space = gymnasium.spaces.Dict({
        'vector': gymnasium.spaces.Box(0, 100, (2,)),
        'image': gymnasium.spaces.Box(0, 255, (16, 16, 3), np.uint8),
    })
    action_space = gymnasium.spaces.Box(-3.0, 5.0, (1,))
    episode = -1

    def look(self):
        image = np.full((16, 16, 3), self.step_count, np.uint8)
        return {'vector': np.array([self.episode, self.step_count], np.float32), 'image': image}

    def reset(self, *, seed=None, options=None):
        self.episode, self.step_count = self.episode + 1, 0
        return self.look(), {}

    def step(self, action):
        assert self.action_space.contains(action), action
        self.step_count += 1
        ended = self.step_count == 4
        terminated, truncated = ended and self.episode % 2 == 0, ended
        info = {'is_success': terminated, 'mark': 7.0} if ended else {}
        return self.look(), float(np.float32(action[0])), terminated, truncated, info

class Same:
    def reset(self):
        self.first = True

    def sample(self):
        self.first, value = False, 0.5 if self.first else -0.5
        return np.full(1, value)

class Explored(Counter):
    def exploration_noise(self, random):
        return Same()

class Suggesting(Counter):
    def __init__(self, ends=4):
        self.ends = ends

    def run_settings(self):
        learner = {'preset': 'light', 'discount': 0.5, 'actor_hidden': [16, 8], 'threads': 1}
        gym = {'eval_every': 60, 'eval_episodes': 2, 'solved_success_rate': 0.5}
        return {'learner': learner | {'solved_in_a_row': 2, 'of_another_node': 1}, 'gym': gym}

class Broken(Counter):
    def look(self):
        return {**super().look(), 'vector': np.array([self.step_count, np.nan], np.float32)}

def register():
    for name in ('Counter', 'Explored', 'Suggesting', 'Broken'):
        gymnasium.register(f'mine/{name}-v0', globals()[name])
    gymnasium.register('mine/Easy-v0', Counter, reward_threshold=-100.0)
"""


@pytest.fixture
def robots(tmp_path, monkeypatch):
    (tmp_path / 'counter_robot.py').write_text(ENVIRONMENT)
    monkeypatch.syspath_prepend(tmp_path)
    return 'counter_robot:register'


def pendulum(run, *options, steps=400):
    command = ['--env', 'Pendulum-v1', '--steps', str(steps), '--run-dir', str(run)]
    return train.main([*command, '--eval-episodes', '1', *options, '--set', *SMALL])


def test_a_run_leaves_what_a_launch_leaves(tmp_path):
    assert pendulum(tmp_path / 'run', '--eval-every', '200') == 0
    run = tmp_path / 'run'
    for name in (
        'config.yaml', 'environment.json', 'metrics.jsonl', 'episodes.csv', 'summary.txt',
        'learning_curve.png', 'checkpoints/best/policy.safetensors',
        'checkpoints/checkpoint_000001/manifest.json',
    ):  # fmt: skip
        assert (run / name).exists(), name
    versions = json.loads((run / 'environment.json').read_text())['packages']
    assert versions['gymnasium'] == gymnasium.__version__
    records = metrics.read(run / 'metrics.jsonl')
    assert [r['steps'] for r in records if r['kind'] == 'evaluation'] == [200, 400]
    assert [r['length'] for r in records if r['kind'] == 'episode'] == [200, 200]
    assert [r['updates'] for r in records if r['kind'] == 'training'][-1] == 1400


def test_a_run_repeats_itself_for_a_seed(tmp_path):
    def losses(name, seed):
        assert pendulum(tmp_path / name, '--eval-every', '0', '--seed', seed, steps=120) == 0
        records = metrics.read(tmp_path / name / 'metrics.jsonl', 'training')
        return {k: v for k, v in records[-1].items() if k not in ('time', 'updates_per_second')}

    assert losses('a', '1') == losses('b', '1') != losses('c', '2')


def test_an_environment_suggests_what_the_command_line_leaves_open(tmp_path, robots, capsys):
    run = tmp_path / 'run'
    made = ['--env', 'mine/Suggesting-v0', '--register', robots, '--env-options', 'ends=4']
    small = [text for text in SMALL if 'actor_hidden' not in text]
    options = ['--steps', '200', '--eval-episodes', '4', '--set', *small, 'discount=0.9']
    assert train.main([*made, '--run-dir', str(run), *options]) == 0
    config = yaml.safe_load((run / 'config.yaml').read_text())
    assert config['learner']['preset'] == 'light'
    assert (config['sac']['discount'], config['sac']['actor_hidden']) == (0.9, [16, 8])
    assert config['gym']['options'] == {'ends': 4}
    assert (config['gym']['eval_every'], config['gym']['eval_episodes']) == (60, 4)
    evaluations = metrics.read(run / 'metrics.jsonl', 'evaluation')
    assert [(e['steps'], e['success_rate'], e['solved']) for e in evaluations] == [
        (60, 0.5, True), (120, 0.5, True),
    ]  # fmt: skip
    finished = metrics.read(run / 'metrics.jsonl', 'event')
    finished = [e for e in finished if e['event'] == 'finished']
    assert [e['reason'] for e in finished] == ['solved after 120 steps']
    assert 'go on with' not in capsys.readouterr().out
    assert train.main(['--resume', str(run), '--env-options', 'ends=3']) == 2
    assert evaluate.main([str(run), '--env-options', 'begins=1']) == 2
    other = ['--env', 'mine/Counter-v0', '--register', robots, '--episodes', '1']
    assert evaluate.main([str(run), *other]) == 0, (
        'it takes no options of the environment of the run'
    )


def test_a_threshold_of_the_registry_ends_a_run_only_when_asked(tmp_path, robots):
    def steps(*chosen):
        run = tmp_path / f'run{len(chosen)}'
        options = ['--env', 'mine/Easy-v0', '--register', robots, '--run-dir', str(run)]
        options += ['--steps', '120', '--eval-every', '40', '--eval-episodes', '1']
        assert train.main([*options, '--set', *SMALL, *chosen]) == 0
        return Replay.open(run / 'replay').count

    assert (steps(), steps('stop_when_solved=true')) == (120, 40)


@pytest.mark.parametrize('text', ['ends', '=4', 'ends=[4'])
def test_options_of_an_environment_are_assignments(tmp_path, capsys, text):
    assert train.main(['--env', 'Pendulum-v1', '--env-options', text]) == 2
    assert '--env-options' in capsys.readouterr().err


def test_a_run_goes_on_where_it_was(tmp_path):
    run = tmp_path / 'run'
    assert pendulum(run, '--eval-every', '0', steps=150) == 0
    assert pendulum(run, '--eval-every', '0') == 2, 'it holds a run'
    assert train.main(['--resume', str(run), '--steps', '230', '--set', 'actor_lr=1e-3']) == 0
    last = metrics.read(run / 'metrics.jsonl', 'training')[-1]
    assert (last['steps'], last['updates']) == (230, 720)
    assert 'actor_lr: 0.001' in (run / 'config.yaml').read_text()
    assert Replay.open(run / 'replay').count == 230


@pytest.mark.parametrize(
    'options',
    [
        ['--env', 'Hopper-v5'], ['--seed', '3'], ['--preset', 'droq'],
        ['--set', 'batch_size=8'], ['--set', 'threads=-1'],
    ],
)  # fmt: skip
def test_what_cannot_change_in_a_run_is_refused(tmp_path, capsys, options):
    assert pendulum(tmp_path / 'run', '--eval-every', '0', steps=60) == 0
    capsys.readouterr()
    assert train.main(['--resume', str(tmp_path / 'run'), *options]) == 2
    assert capsys.readouterr().err.count('\n') == 1


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ([], '--env is needed'),
        (['--env', 'NoSuch-v0'], 'NoSuch-v0'),
        (['--env', 'CartPole-v1'], 'Box'),
        (['--env', 'Pendulum-v1', '--set', 'actor_l=1'], 'actor_lr'),
        (['--env', 'Pendulum-v1', '--set', 'actor_lr=fast'], 'actor_lr must be'),
        (['--env', 'Pendulum-v1', '--set', 'tau=3'], 'tau must lie in'),
        (['--env', 'Pendulum-v1', '--set', 'device=tpu'], 'tpu'),
        (['--resume', 'nowhere'], 'holds no run'),
    ],
)
def test_a_wrong_command_is_one_line_and_status_2(tmp_path, capsys, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    assert train.main(options) == 2
    message = capsys.readouterr().err
    assert message.count('\n') == 1
    assert words in message


@pytest.mark.parametrize(
    'options', [['--preset', 'fast'], ['--steps', 'many'], ['--no-such-option'], ['--steps', '-1']]
)
def test_an_option_that_does_not_parse_is_one_line_and_status_2(capsys, options):
    with pytest.raises(SystemExit) as ended:
        train.main(['--env', 'Pendulum-v1', *options])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count('\n') == 1


def test_without_gymnasium_a_command_is_one_line_and_status_2(tmp_path):
    program = (
        'import sys; sys.modules["gymnasium"] = None\n'
        'from sac_learner.gym import train\n'
        'sys.exit(train.main(["--env", "sac/DclawValve-v0"]))'
    )
    done = subprocess.run(
        [sys.executable, '-c', program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.count('\n') == 1
    assert 'pip install' in done.stderr


def test_settings_are_listed_with_what_set_takes(capsys):
    assert train.main(['--settings']) == 0
    listed = capsys.readouterr().out
    assert ' tau=0.005 ' in listed
    assert ' actor_hidden=256,256 ' in listed
    assert ' threads=0 ' in listed
    names = [line.split('=')[0].strip() for line in listed.splitlines() if '=' in line]
    assert not {'run_dir', 'seed', 'steps'} & set(names)


@pytest.mark.parametrize('command', [train, evaluate, export, plot])
def test_help_ends_with_examples_of_its_own_options(command, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(['--help'])
    assert ended.value.code == 0
    name = command.__name__.rpartition('.')[2]
    text = capsys.readouterr().out
    examples = text.partition('examples:')[2].split('\n')
    assert all(e.startswith(f'  ros2 run sac_learner {name} ') for e in examples if e)
    used = set(re.findall(r'--[a-z-]+', '\n'.join(examples)))
    assert used <= set(re.findall(r'--[a-z-]+', text.partition('examples:')[0]))


def test_ends_images_and_final_observations_are_stored_right(tmp_path, robots):
    run = tmp_path / 'run'
    options = ['--env', 'mine/Counter-v0', '--register', robots, '--steps', '80', '--run-dir']
    small = [*SMALL, 'encoder=stride2', 'batch_size=8']
    tests = ['--eval-every', '40', '--eval-episodes', '2']
    assert train.main([*options, str(run), *tests, '--set', *small]) == 0
    replay = Replay.open(run / 'replay')
    assert replay.size == 80
    batch = replay.sample(4000, np.random.default_rng(0))
    here, there = batch.vector, batch.next_vector
    assert len({tuple(row) for row in here}) == 80, 'every step is drawn'
    np.testing.assert_array_equal(here[:, 0], there[:, 0])
    np.testing.assert_array_equal(here[:, 1] + 1, there[:, 1])
    np.testing.assert_array_equal(batch.image[:, 0, 0, 0], here[:, 1])
    np.testing.assert_array_equal(batch.next_image[:, 0, 0, 0], there[:, 1])
    terminated = (there[:, 1] == 4) & (there[:, 0] % 2 == 0)
    np.testing.assert_array_equal(batch.discount == 0.0, terminated)
    np.testing.assert_allclose(batch.reward, 1.0 + 4.0 * batch.action[:, 0], atol=1e-5)
    episodes = metrics.read(run / 'metrics.jsonl', 'episode')
    assert [e['terminated'] for e in episodes[:4]] == [True, False, True, False]
    assert episodes[0]['metrics'] == {'mark': 7.0}
    evaluation = metrics.read(run / 'metrics.jsonl', 'evaluation')[-1]
    assert evaluation['success_rate'] == 0.5


def test_warm_up_is_uniform_and_ends_at_its_step(tmp_path, robots):
    run = tmp_path / 'run'
    options = ['--register', robots, '--run-dir', str(run), '--eval-every', '0', '--steps', '450']
    settings = [*SMALL, 'warmup_steps=400', 'learning_starts=450', 'encoder=stride2']
    command = ['--env', 'mine/Counter-v0', *options, '--set', *settings, 'log_std_max=-5.0']
    assert train.main(command) == 0
    replay = Replay.open(run / 'replay')
    actions = replay.gather(replay.positions()).action[:, 0]
    quarters = np.histogram(actions[:400], 4, (-1.0, 1.0))[0]
    assert quarters.min() > 70, 'a hundred each, but for chance'
    assert actions[400:].std() < 0.2, 'the policy was told to deviate by no more than exp(-5)'
    replay.close()


def test_an_environment_may_bring_its_exploration_noise(tmp_path, robots):
    run = tmp_path / 'run'
    options = ['--register', robots, '--run-dir', str(run), '--eval-every', '0', '--steps', '60']
    settings = [*SMALL, 'warmup_steps=48', 'learning_starts=60', 'encoder=stride2']
    assert train.main(['--env', 'mine/Explored-v0', *options, '--set', *settings]) == 0
    replay = Replay.open(run / 'replay')
    actions = replay.gather(replay.positions()).action[:, 0].reshape(15, 4)
    # Warm-up is uniform: -0.5 and 0.5 are at 31 and 69 percent of a normal distribution.
    np.testing.assert_allclose(actions[:12], np.tile([0.383, *3 * [-0.383]], (12, 1)), atol=1e-3)
    assert (actions[12:, 0] > actions[12:, 1:].max(axis=1) + 0.1).all()
    replay.close()


def test_numbers_that_are_not_finite_end_the_run_with_their_reason(tmp_path, robots, capsys):
    options = ['--env', 'mine/Broken-v0', '--register', robots, '--steps', '20', '--run-dir']
    status = train.main([*options, str(tmp_path / 'run'), '--set', *SMALL])
    assert status == 1
    assert 'finite' in capsys.readouterr().err


def test_sigint_saves_and_the_run_goes_on(tmp_path):
    run = tmp_path / 'run'
    command = [
        sys.executable, '-m', 'sac_learner.gym.train', '--env', 'Pendulum-v1', '--run-dir',
        str(run), '--eval-every', '0', '--set', *SMALL,
    ]  # fmt: skip
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        _wait_for(lambda: metrics_of(run))
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, output
    assert f'--resume {run}' in output
    (manifest,) = run.glob('checkpoints/checkpoint_*/manifest.json')
    steps = json.loads(manifest.read_text())['values']['transitions']
    assert train.main(['--resume', str(run), '--steps', str(steps + 50)]) == 0
    last = metrics.read(run / 'metrics.jsonl', 'training')[-1]
    assert (last['steps'], last['updates']) == (steps + 50, 4 * steps)


def metrics_of(run: Path):
    path = run / 'metrics.jsonl'
    return path.exists() and metrics.read(path, 'training')


def _wait_for(condition, limit=60.0):
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, 'nothing was learned in time'
        time.sleep(0.05)


@pytest.mark.slow
def test_pendulum_is_learned_from_the_command_line(tmp_path, capsys):
    run = tmp_path / 'run'
    faster = [
        'actor_lr=2e-3', 'critic_lr=2e-3', 'temperature_lr=1e-3', 'batch_size=128', 'tau=0.02',
        'discount=0.97', 'updates_per_step=2', 'learning_starts=400', 'warmup_steps=400',
    ]  # fmt: skip
    options = ['--eval-every', '1000', '--eval-episodes', '5', '--set', *SMALL, *faster]
    command = ['--env', 'Pendulum-v1', '--steps', '3000', '--run-dir', str(run), *options]
    assert train.main(command) == 0
    random = np.mean([e['return'] for e in metrics.read(run / 'metrics.jsonl', 'episode')[:2]])
    capsys.readouterr()
    assert evaluate.main([str(run), '--episodes', '10', '--json']) == 0
    learned = json.loads(capsys.readouterr().out)['return']
    # Random actions give about -1250 with a deviation of 300.
    assert random < -800
    assert learned > -600
