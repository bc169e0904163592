from pathlib import Path

from launch import LaunchContext
from launch.substitutions import LaunchConfiguration
from launch_ros import parameter_values
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
import pytest


def test_arguments_come_in_the_order_of_the_real_tool(package, launch_file, ros2, tmp_path):
    parameters = tmp_path / 'demo.yaml'
    parameters.write_text('/**:\n  ros__parameters:\n    rate: 1.0\n')
    launch_file(f"""
        Node(package='scratch', executable='echo_exe', name='agent', namespace='robot1',
             arguments=['--foo', 'fast'], output='screen',
             parameters=['{parameters}', {{'speed': 1.0}}],
             remappings=[('transition', '/replay/transition')])
    """)

    code, output = ros2('launch', 'scratch', 'test.launch.py')

    assert code == 0
    line = next(line for line in output.splitlines() if line.startswith('[echo_exe-1] --foo'))
    words = line.split()[1:]
    written = words.pop(words.index(str(parameters)) + 2)
    assert Path(written).name.startswith('launch_params_')
    assert Path(written).parent == tmp_path / 'temporary'
    assert (
        words
        == (
            f'--foo fast --ros-args -r __node:=agent -r __ns:=/robot1 --params-file {parameters} '
            '--params-file -r transition:=/replay/transition'
        ).split()
    )
    assert '[echo_exe-1] /robot1/agent:' in output
    assert not Path(written).exists(), 'our temporary files end with the launch'


def test_ros_arguments_stand_in_a_section_of_their_own(package, launch_file, ros2):
    launch_file("""
        Node(package='scratch', executable='echo_exe', name='respawner', output='screen',
             arguments=['--code=1', ['--sleep=', '0.5']], ros_arguments=['--log-level', 'debug'])
    """)

    _, output = ros2('launch', 'scratch', 'test.launch.py')

    assert (
        '[echo_exe-1] --code=1 --sleep=0.5 --ros-args --log-level debug '
        '--ros-args -r __node:=respawner'
    ) in output.splitlines()


def test_node_without_name_has_an_empty_section(package, launch_file, ros2):
    launch_file("Node(package='scratch', executable='echo_exe', output='screen')")

    _, output = ros2('launch', 'scratch', 'test.launch.py')

    assert '[echo_exe-1] --ros-args' in output.splitlines()


def test_group_gives_namespace_parameters_and_remappings_first(package, launch_file, ros2):
    launch_file("""
        GroupAction([
            PushRosNamespace('g'), SetParameter('use_sim_time', True), SetRemap('a', 'b'),
            Node(package='scratch', executable='echo_exe', namespace='rel', exec_name='custom',
                 output='screen', parameters=[{'x': 1}], remappings=[('c', 'd')]),
        ]),
        Node(package='scratch', executable='echo_exe', namespace='/abs', output='screen'),
    """)

    _, output = ros2('launch', 'scratch', 'test.launch.py')

    line = next(line for line in output.splitlines() if line.startswith('[custom-1] --ros-args'))
    words = line.split()
    words.pop(words.index('--params-file') + 1)
    assert words == [
        '[custom-1]',
        '--ros-args',
        '-r',
        '__ns:=/g/rel',
        '-p',
        'use_sim_time:=True',
        '--params-file',
        '-r',
        'a:=b',
        '-r',
        'c:=d',
    ]
    assert '[echo_exe-2] --ros-args -r __ns:=/abs' in output.splitlines()


@pytest.mark.parametrize(
    ('value', 'expected'),
    [
        (1, '1'),
        ((1.0, 2.5), '[1.0, 2.5]'),
        ([1, 2.5], '[1.0, 2.5]'),
        (True, 'true'),
        ('5', "'5'"),
        (['a', 'b'], "['a', 'b']"),
        (LaunchConfiguration('five'), '5'),
        (LaunchConfiguration('truth'), 'true'),
        (LaunchConfiguration('list'), '[1.0, 2.0]'),
        (LaunchConfiguration('rate'), "'3e-4'"),
        (['a', LaunchConfiguration('five')], "'a5'"),
        (ParameterValue(LaunchConfiguration('rate'), value_type=float), '0.0003'),
        (ParameterValue(LaunchConfiguration('five'), value_type=float), '5.0'),
        (ParameterValue(LaunchConfiguration('five'), value_type=str), "'5'"),
        (ParameterValue(LaunchConfiguration('truth'), value_type=bool), 'true'),
        (ParameterValue(LaunchConfiguration('list'), value_type=list[float]), '[1.0, 2.0]'),
    ],
)
def test_parameter_has_the_type_that_it_would_have_under_the_real_tool(value, expected):
    context = LaunchContext()
    context.launch_configurations.update(five='5', truth='true', list='[1.0, 2.0]', rate='3e-4')

    flat = parameter_values.flatten(context, {'p': value})

    import yaml

    text = parameter_values.dump(flat, '/**')
    assert yaml.safe_load(text) == {'/**': {'ros__parameters': {'p': yaml.safe_load(expected)}}}
    if expected.startswith("'"):
        assert f'p: {expected}' in text


def test_nested_parameters_are_dotted():
    flat = parameter_values.flatten(LaunchContext(), {'d': {'e': {'f': 1}}, 'g': 2})

    assert flat == {'d.e.f': 1, 'g': 2}


@pytest.mark.parametrize('value', [None, [], [1, 'a'], LaunchConfiguration('mixed')])
def test_parameter_that_rcl_cannot_take_is_refused(value):
    context = LaunchContext()
    context.launch_configurations['mixed'] = '[1, 2.0]'

    with pytest.raises(TypeError):
        parameter_values.flatten(context, {'p': value})


def test_int_from_a_fraction_is_refused():
    with pytest.raises(ValueError, match=r"Cannot convert input '5\.0'"):
        ParameterValue(['5.0'], value_type=int).evaluate(LaunchContext())


def test_unknown_keyword_is_refused():
    with pytest.raises(TypeError, match='unexpected keyword argument'):
        Node(package='scratch', executable='echo_exe', parametres=[])


def test_missing_parameter_file_is_skipped_with_a_warning(package, launch_file, ros2):
    launch_file("""
        Node(package='scratch', executable='echo_exe', output='screen', parameters=['/no/file'])
    """)

    code, output = ros2('launch', 'scratch', 'test.launch.py')

    assert code == 0
    assert 'Parameter file path is not a file: /no/file' in output
    assert '[echo_exe-1] --ros-args' in output.splitlines()


def test_substitutions_in_a_parameter_file_are_expanded_on_request(
    package, launch_file, ros2, tmp_path
):
    path = tmp_path / 'p.yaml'
    path.write_text('/**:\n  ros__parameters:\n    mode: $(var mode)\n')
    launch_file(f"""
        DeclareLaunchArgument('mode'),
        Node(package='scratch', executable='echo_exe', output='screen',
             parameters=[ParameterFile('{path}', allow_substs=True)])
    """)

    _, output = ros2('launch', 'scratch', 'test.launch.py', 'mode:=fast')

    assert '[echo_exe-1]     mode: fast' in output.splitlines()


def test_two_nodes_of_one_name_are_noticed(package, launch_file, ros2):
    launch_file("""
        Node(package='scratch', executable='echo_exe', name='twin'),
        Node(package='scratch', executable='echo_exe', name='twin'),
    """)

    _, output = ros2('launch', 'scratch', 'test.launch.py')

    assert 'there are now at least 2 nodes with the name /twin' in output
