from launch import LaunchContext
from launch.conditions import IfCondition, InvalidConditionExpressionError, UnlessCondition
from launch.substitution import describe, normalize
from launch.substitutions import (
    AndSubstitution,
    AnySubstitution,
    EnvironmentVariable,
    EqualsSubstitution,
    IfElseSubstitution,
    LaunchConfiguration,
    NotEqualsSubstitution,
    NotSubstitution,
    OrSubstitution,
    PathJoinSubstitution,
    PythonExpression,
    SubstitutionFailure,
    TextSubstitution,
    ThisLaunchFileDir,
)
import pytest


@pytest.fixture
def context() -> LaunchContext:
    context = LaunchContext()
    context.launch_configurations.update(mode='fast', yes='true', no='False', empty='')
    return context


@pytest.mark.parametrize(
    ('substitution', 'expected'),
    [
        (TextSubstitution(text='a'), 'a'),
        (LaunchConfiguration('mode'), 'fast'),
        (LaunchConfiguration('empty'), ''),
        (LaunchConfiguration('missing', default=3), '3'),
        (LaunchConfiguration('missing', default=['a', LaunchConfiguration('mode')]), 'afast'),
        (EnvironmentVariable('HERE'), 'set'),
        (EnvironmentVariable('NOT_HERE', default_value='d'), 'd'),
        (
            PathJoinSubstitution(['/a', ['b', '_', LaunchConfiguration('mode')], 'c']),
            '/a/b_fast/c',
        ),
        (PathJoinSubstitution(['/a']) / 'b', '/a/b'),
        (PythonExpression(['1 + ', '2']), '3'),
        (PythonExpression(["'", LaunchConfiguration('mode'), "' == 'fast'"]), 'True'),
        (PythonExpression('floor(pi)'), '3'),
        (NotSubstitution(LaunchConfiguration('yes')), 'false'),
        (AndSubstitution('true', LaunchConfiguration('no')), 'false'),
        (OrSubstitution('1', LaunchConfiguration('no')), 'true'),
        (AnySubstitution('false', '0', 'yes'), 'true'),
        (IfElseSubstitution(LaunchConfiguration('yes'), 'a', 'b'), 'a'),
        (IfElseSubstitution('0', if_value='a'), ''),
        (EqualsSubstitution('true', '1'), 'true'),
        (EqualsSubstitution('1.0', '1.0000000001'), 'true'),
        (EqualsSubstitution(LaunchConfiguration('mode'), 'fast'), 'true'),
        (NotEqualsSubstitution(LaunchConfiguration('mode'), 'fast'), 'false'),
    ],
)
def test_substitution_yields_its_text(context, monkeypatch, substitution, expected):
    monkeypatch.setenv('HERE', 'set')
    monkeypatch.delenv('NOT_HERE', raising=False)

    assert substitution.perform(context) == expected


@pytest.mark.parametrize(
    ('substitution', 'complaint'),
    [
        (LaunchConfiguration('missing'), "launch configuration 'missing' does not exist"),
        (EnvironmentVariable('NOT_HERE'), "environment variable 'NOT_HERE' does not exist"),
        (ThisLaunchFileDir(), 'inside of a launch file'),
        (NotSubstitution('perhaps'), "expected a boolean, got 'perhaps'"),
    ],
)
def test_substitution_without_value_says_so(context, substitution, complaint):
    with pytest.raises(SubstitutionFailure, match=complaint):
        substitution.perform(context)


def test_lists_inside_of_a_text_are_refused():
    with pytest.raises(TypeError, match='expected text or a substitution'):
        normalize(['a', ['b']])


def test_description_is_what_show_args_prints():
    text = ['a', LaunchConfiguration('b'), PathJoinSubstitution(['c', ThisLaunchFileDir()])]

    assert describe(text) == "'a' + LaunchConfig('b') + PathJoin('c', ThisLaunchFileDir())"


@pytest.mark.parametrize(
    ('text', 'truth'),
    [('true', True), (' True ', True), ('1', True), ('FALSE', False), ('0', False)],
)
def test_condition_reads_true_and_false(context, text, truth):
    assert IfCondition(text).evaluate(context) is truth
    assert UnlessCondition(text).evaluate(context) is not truth


def test_condition_refuses_anything_else(context):
    expected = (
        r"expected one of \[true, 1, false, 0\] but got 'maybe', expanded from 'ma' \+ 'ybe'"
    ).replace(r"'ma' \+ 'ybe'", "''ma' \\+ 'ybe''")
    with pytest.raises(InvalidConditionExpressionError, match=expected):
        IfCondition(['ma', 'ybe']).evaluate(context)
