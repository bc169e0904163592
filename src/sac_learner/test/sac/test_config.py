"""Settings: Table 1 by default, presets as published, refusals that teach."""

from dataclasses import fields

import pytest

from sac_learner.sac import preset, PRESETS, SacConfig
from sac_learner.sac.schedule import learning_rate


def test_defaults_are_table_1_of_the_paper():
    c = SacConfig()
    assert (c.actor_lr, c.critic_lr, c.temperature_lr) == (3e-4, 3e-4, 3e-4)
    assert (c.discount, c.tau, c.target_interval) == (0.99, 0.005, 1)
    assert (c.batch_size, c.replay_capacity, c.updates_per_step) == (256, 1_000_000, 1.0)
    assert c.actor_hidden == c.critic_hidden == (256, 256)
    assert c.actor_activation == c.critic_activation == 'relu'
    assert c.entropy_target(6) == -6.0


def test_every_setting_explains_itself():
    assert all(item.metadata['doc'].endswith('.') for item in fields(SacConfig))


@pytest.mark.parametrize(
    ('text', 'expected'), [('auto', -6.0), ('-dim', -6.0), ('-dim/2', -3.0), ('-1.5', -1.5)]
)
def test_target_entropy_is_a_rule_or_a_number(text, expected):
    assert SacConfig(target_entropy=text).entropy_target(6) == expected


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'target_entropy': 'lots'}, "'auto', '-dim', '-dim/2' or a number"),
        ({'target_entropy': 'nan'}, 'or a number'),
        ({'critics': 2, 'target_subset': 3}, r'target_subset \(3\) must not exceed critics \(2\)'),
        ({'discount': 1.5}, r'discount must lie in \[0.0, 1.0\], got 1.5'),
        ({'actor_hidden': ()}, 'actor_hidden must be one or more positive integers'),
        ({'critic_hidden': (256, 0)}, 'critic_hidden must be one or more positive integers'),
        ({'actor_activation': 'swish'}, "actor_activation must be one of .*got 'swish'"),
        ({'critic_batch_norm': True}, 'target_networks: false'),
        ({'actor_schedule': 'exponential'}, 'actor_lr_final must be positive'),
        ({'log_std_min': 3.0}, 'log_std_min'),
    ],
)
def test_inadmissible_settings_are_refused_with_the_remedy(changes, message):
    with pytest.raises(ValueError, match=message):
        SacConfig(**changes)


def test_unknown_preset_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r'crossq.*default.*droq.*paper.*redq.*rlpd'):
        preset('rainbow')


def test_presets_are_as_published():
    redq, droq, crossq, rlpd = (preset(n) for n in ('redq', 'droq', 'crossq', 'rlpd'))
    assert preset('paper') == SacConfig()
    assert (redq.critics, redq.target_subset, redq.actor_reduction) == (10, 2, 'mean')
    assert (redq.updates_per_step, redq.policy_delay) == (20.0, 20)
    assert (droq.critics, droq.critic_dropout, droq.critic_layer_norm) == (2, 0.01, True)
    assert (droq.updates_per_step, droq.actor_reduction) == (20.0, 'mean')
    assert crossq.critic_batch_norm
    assert not crossq.target_networks
    assert (crossq.adam_beta1, crossq.policy_delay, crossq.updates_per_step) == (0.5, 3, 1.0)
    assert rlpd.demonstration_fraction == 0.5
    assert (rlpd.critics, rlpd.target_subset, rlpd.critic_layer_norm) == (10, 2, True)
    assert {p.target_entropy for p in (redq, droq, rlpd)} == {'-dim/2'}
    assert set(PRESETS) == {'default', 'light', 'paper', 'redq', 'droq', 'crossq', 'rlpd'}


@pytest.mark.parametrize('name', ['linear', 'exponential', 'cosine'])
def test_learning_rate_falls_steadily_to_its_final_value_and_stays(name):
    rates = [learning_rate(name, 1e-3, 1e-5, n, 100) for n in range(0, 201, 10)]
    assert rates[0] == pytest.approx(1e-3)
    assert rates[:11] == sorted(set(rates[:11]), reverse=True)
    assert rates[10:] == [pytest.approx(1e-5)] * 11


def test_learning_rates_are_halfway_where_each_schedule_says():
    half = {
        n: learning_rate(n, 1e-2, 1e-4, 50, 100) for n in ('constant', 'linear', 'exponential')
    }
    assert half['constant'] == 1e-2
    assert half['linear'] == pytest.approx(5.05e-3)
    assert half['exponential'] == pytest.approx(1e-3)
    assert learning_rate('cosine', 1e-2, 0.0, 50, 100) == pytest.approx(5e-3)
