from dataclasses import dataclass, field

import pytest
import rclpy
from rclpy.parameter import Parameter

from sac_core.parameters import check_values, declare_config, on_change, refuse_unknown


@dataclass(frozen=True)
class Config:
    rate: float = field(default=10.0, metadata={'doc': 'Rate [Hz].', 'range': (1.0, 100.0)})
    steps: int = field(default=5, metadata={'doc': 'Steps.', 'range': (0, 9), 'live': True})
    mode: str = field(default='a', metadata={'doc': 'Mode.', 'choices': ('a', 'b')})
    hidden: tuple[int, ...] = field(default=(256, 256), metadata={'doc': 'Units.'})
    quiet: bool = field(default=False, metadata={'doc': 'Say nothing.'})


@pytest.fixture
def make_node():
    context = rclpy.Context()
    rclpy.init(context=context)
    nodes = []

    def make(*overrides):
        values = [Parameter(name, value=value) for name, value in overrides]
        nodes.append(rclpy.create_node('n', context=context, parameter_overrides=values))
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()
    rclpy.shutdown(context=context)


def test_defaults_become_parameters(make_node):
    node = make_node()
    assert declare_config(node, Config) == Config()
    assert node.describe_parameter('rate').description == 'Rate [Hz].'


def test_overrides_reach_the_dataclass(make_node):
    config = declare_config(make_node(('rate', 2.5), ('hidden', [64, 32]), ('mode', 'b')), Config)
    assert (config.rate, config.hidden, config.mode) == (2.5, (64, 32), 'b')


@pytest.mark.parametrize(
    ('override', 'text'),
    [
        (('rate', 'fast'), 'rate'),
        (('rate', 1000.0), 'rate'),
        (('mode', 'z'), r"mode must be one of \['a', 'b'\]"),
        (('steps', 10), 'steps'),
    ],
)
def test_bad_value_is_refused_by_name(make_node, override, text):
    with pytest.raises(ValueError, match=text):
        declare_config(make_node(override), Config)


def test_live_parameter_is_applied_and_a_fixed_one_refused(make_node):
    node = make_node()
    declare_config(node, Config)
    seen = []
    on_change(node, Config, lambda name, value: seen.append((name, value)))
    results = node.set_parameters([Parameter('steps', value=7), Parameter('rate', value=3.0)])
    assert [r.successful for r in results] == [True, False]
    assert seen == [('steps', 7)]


def test_refusal_by_the_application_reaches_the_caller(make_node):
    node = make_node()
    declare_config(node, Config)

    def refuse(name, value):
        raise ValueError(f'{name} may not change now')

    on_change(node, Config, refuse)
    (result,) = node.set_parameters([Parameter('steps', value=7)])
    assert not result.successful
    assert result.reason == 'steps may not change now'


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown parameter 'rat'; there are .*'rate'"):
        check_values(Config, {'rat': 1.0})


def test_boolean_is_no_number():
    with pytest.raises(ValueError, match='steps must be of type int'):
        check_values(Config, {'steps': True})


def test_misspelt_parameter_is_refused_with_the_likeliest_names(make_node):
    node = make_node(('rates', 2.5))
    declare_config(node, Config)
    with pytest.raises(ValueError, match="unknown parameter 'rates'; did you mean rate"):
        refuse_unknown(node)
    sound = make_node(('rate', 2.5))
    declare_config(sound, Config)
    refuse_unknown(sound)
