from dataclasses import replace

import pytest

from sac_core.spec import AgentSpec, ObservationSpec

SPEC = AgentSpec(
    agent_id='claw',
    stream_id='a1',
    task='dclaw_valve',
    control_period=0.1,
    observation=ObservationSpec(names=('q[0]', 'q[1]'), image_shape=(32, 32, 3)),
    action_names=('joint_0',),
)


def test_hash_is_the_same_for_another_robot_of_the_same_kind():
    assert SPEC.spec_hash() == replace(SPEC, agent_id='other', stream_id='b2').spec_hash()


@pytest.mark.parametrize(
    'change',
    [
        {'control_period': 0.05},
        {'action_names': ('joint_1',)},
        {'observation': ObservationSpec(names=('q[1]', 'q[0]'), image_shape=(32, 32, 3))},
        {'observation': ObservationSpec(names=('q[0]', 'q[1]'))},
    ],
)
def test_hash_changes_with_everything_a_policy_depends_on(change):
    assert SPEC.spec_hash() != replace(SPEC, **change).spec_hash()


@pytest.mark.parametrize(
    ('change', 'text'),
    [
        ({'control_period': 0.0}, 'control_period must be positive'),
        ({'control_period': float('nan')}, 'control_period must be positive'),
        ({'action_names': ()}, 'at least one action'),
    ],
)
def test_impossible_spec_is_refused(change, text):
    with pytest.raises(ValueError, match=text):
        replace(SPEC, **change)


def test_observation_without_content_is_refused():
    with pytest.raises(ValueError, match='vector element or an image'):
        ObservationSpec(names=())
