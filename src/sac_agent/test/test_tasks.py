"""How tasks are found, made and tried."""

import numpy as np
import pytest

from sac_agent.errors import ConfigError
from sac_agent.layout import SensorLayout
from sac_agent.tasks.dclaw_valve import DclawValve
from sac_agent.tasks.minitaur_walk import MinitaurWalk
from sac_agent.tasks.sawyer_stack import SawyerStack
from sac_agent.tasks.task import find_task, make_task, NoParameters, Task, try_task


def test_tasks_are_found_by_name_and_by_module():
    assert find_task('dclaw_valve') is DclawValve
    assert find_task('sac_agent.tasks.minitaur_walk:MinitaurWalk') is MinitaurWalk
    assert find_task('sawyer_stack') is SawyerStack
    with pytest.raises(ConfigError, match="or module:Class, got 'juggle'"):
        find_task('juggle')


def test_a_sensor_value_that_a_task_needs_must_be_there():
    with pytest.raises(ConfigError, match=r"'joint_states\.position' is unknown"):
        make_task('dclaw_valve', {}, SensorLayout(('a.b[c]',)), 0.1)


class Broken(Task):
    """Whatever a subclass does wrong, it says in which line."""

    reward_names = ('one', 'two')

    def reward(self, before, action, after, history):
        return np.zeros(2)


class WrongSize(Broken):
    def reward(self, before, action, after, history):
        return np.zeros(3)


class Crashing(Broken):
    def metrics(self, trajectory):
        return {'best': trajectory.nothing}


class FeaturesForgotten(Broken):
    feature_names = ('way',)

    def features(self, raw):
        return raw


class NoSuchMetric(Broken):
    distance = 'distance'

    def metrics(self, trajectory):
        return {'height': 1.0}


@pytest.mark.parametrize(
    ('kind', 'text'),
    [
        (
            WrongSize,
            r'reward failed: ValueError: must return 2 numbers, one, two; .*\(3,\)',
        ),
        (Crashing, r"metrics failed: AttributeError: .*'nothing' \(.*test_tasks\.py, line \d+\)"),
        (FeaturesForgotten, r'features failed: .* must return 1 numbers, way; got shape \(2,\)'),
        (NoSuchMetric, r"distance is 'distance', metrics returns only height"),
    ],
)
def test_what_a_task_does_wrong_is_named_before_it_runs(kind, text):
    layout = SensorLayout(('s.position[a]', 's.position[b]'))
    with pytest.raises(ConfigError, match=text):
        try_task(kind(layout, NoParameters(), 0.1), 2)


def test_a_good_task_is_tried_without_complaint():
    layout = SensorLayout(('s.position[a]', 's.position[b]'))
    try_task(Broken(layout, NoParameters(), 0.1), 2)
