import pytest

SHOWN = """\
Arguments (pass arguments as '<name>:=<value>'):

    'mode':
        How fast. Valid choices are: ['fast', 'slow']
        (default: 'fast')

    'rate':
        no description given
        (default: LaunchConfig('mode') + 'x')

    'seed':
        One of: ['1', '2']

    'extra'*:
        no description given

* argument(s) which are only used if specific conditions occur"""


def test_show_args_lists_default_choices_and_description(launch_file, ros2):
    launch_file("""
        DeclareLaunchArgument('mode', default_value='fast', description='How fast',
                              choices=['fast', 'slow']),
        DeclareLaunchArgument('rate', default_value=[LaunchConfiguration('mode'), 'x']),
        DeclareLaunchArgument('seed', choices=['1', '2']),
        DeclareLaunchArgument('mode', default_value='slow'),
        DeclareLaunchArgument('extra', condition=IfCondition('false')),
    """)

    assert ros2('launch', 'scratch', 'test.launch.py', '--show-args') == (0, SHOWN)


def test_show_args_says_when_there_are_none(launch_file, ros2):
    launch_file("LogInfo(msg='hello')")

    code, output = ros2('launch', '-s', 'scratch', 'test.launch.py')

    assert code == 0
    assert output.endswith('\n\n  No arguments.')


def test_show_args_looks_into_included_files(launch_file, ros2):
    inner = launch_file(
        "DeclareLaunchArgument('inside', default_value='1')", name='inner.launch.py'
    )
    launch_file(f"IncludeLaunchDescription('{inner}')")

    assert "    'inside':" in ros2('launch', '-s', 'scratch', 'test.launch.py')[1]


def test_arguments_reach_the_file_and_the_last_one_wins(launch_file, ros2):
    path = launch_file("""
        DeclareLaunchArgument('a', default_value='default'),
        LogInfo(msg=['a is ', LaunchConfiguration('a')]),
    """)

    assert '[INFO] [launch.user]: a is default' in ros2('launch', path)[1]
    assert 'a is 2' in ros2('launch', 'scratch', 'test.launch.py', 'a:=1', 'a:=2', 'other:=3')[1]
    assert 'a is b:=c' in ros2('launch', path, 'a:=b:=c')[1]


def test_first_lines_name_the_log(launch_file, ros2):
    launch_file("LogInfo(msg='hello')")

    first, second, *_ = ros2('launch', 'scratch', 'test.launch.py')[1].splitlines()

    assert first.startswith('[INFO] [launch]: All log files can be found below /')
    assert second == '[INFO] [launch]: Default logging verbosity is set to INFO'


@pytest.mark.parametrize('argument', ['mode=weird', 'rate:=', ':=3'])
def test_malformed_argument_is_one_line(launch_file, ros2, argument):
    launch_file("LogInfo(msg='hello')")

    assert ros2('launch', 'scratch', 'test.launch.py', argument) == (
        1,
        f"malformed launch argument '{argument}', expected format '<name>:=<value>'",
    )


def test_unknown_file_and_package_are_one_line(package, ros2):
    assert ros2('launch', 'scratch', 'nofile.launch.py') == (
        1,
        "file 'nofile.launch.py' was not found in the share directory of package 'scratch' "
        f"which is at '{package}'",
    )
    code, output = ros2('launch', 'nopkg', 'x.launch.py')
    assert code == 1
    assert output.startswith(
        "Package 'nopkg' not found: \"package 'nopkg' not found, searching: ["
    )


@pytest.mark.parametrize(
    ('body', 'arguments', 'complaint'),
    [
        (
            "DeclareLaunchArgument('mode', default_value='fast', choices=['fast', 'slow'])",
            ['mode:=weird'],
            'Argument "mode" provided value "weird" is not valid. '
            "Valid options are: ['fast', 'slow']",
        ),
        (
            "DeclareLaunchArgument('exe')",
            [],
            "Included launch description missing required argument 'exe' "
            "(description: 'no description given'), given: []",
        ),
        (
            "Node(package='scratch', executable='sleepy')",
            [],
            "executable 'sleepy' not found on the libexec directory '",
        ),
        (
            "LogInfo(msg='x', condition=IfCondition('maybe'))",
            [],
            "invalid condition expression, expected one of [true, 1, false, 0] but got 'maybe', "
            "expanded from ''maybe''",
        ),
        (
            'OpaqueFunction(function=lambda context: 1 / 0)',
            [],
            'division by zero',
        ),
        (
            "Node(package='scratch', executable='echo_exe', "
            "parameters=[{'rate': LaunchConfiguration('rate')}])",
            ['rate:=[1,2.0]'],
            'Expected a non-empty sequence, with items of uniform type. Allowed sequence item '
            'types are bool, int, float, str. Got inconsistent input for "rate"',
        ),
    ],
)
def test_error_while_launching_is_one_line_and_status_1(
    launch_file, ros2, body, arguments, complaint
):
    launch_file(body)

    code, output = ros2('launch', 'scratch', 'test.launch.py', *arguments)

    assert code == 1
    mark = '[ERROR] [launch]: Caught exception in launch (see debug for traceback): '
    assert mark + complaint in output
    assert 'Traceback' not in output


def test_default_that_is_no_choice_is_refused_when_declared(launch_file, ros2):
    launch_file("DeclareLaunchArgument('a', default_value='x', choices=['y'])")

    code, output = ros2('launch', 'scratch', 'test.launch.py')

    assert code == 1
    assert '"x" is not in provided choices' in output


def test_include_shares_arguments_both_ways(launch_file, ros2):
    inner = launch_file(
        """
        DeclareLaunchArgument('a', default_value='inner'),
        LogInfo(msg=['inside ', LaunchConfiguration('a'), ' ', LaunchConfiguration('b')]),
        LogInfo(msg=['in ', ThisLaunchFile()]),
        """,
        name='inner.launch.py',
    )
    launch_file(f"""
        SetLaunchConfiguration('a', 'outer'),
        IncludeLaunchDescription('{inner}', launch_arguments={{'b': 'given'}}.items()),
        LogInfo(msg=['after ', LaunchConfiguration('b')]),
        LogInfo(msg=['back in ', ThisLaunchFile()]),
    """)

    _, output = ros2('launch', 'scratch', 'test.launch.py')

    assert 'inside outer given' in output
    assert f'in {inner}' in output
    assert 'after given' in output
    assert 'back in ' in output
    assert output.rstrip().endswith('test.launch.py')


def test_group_keeps_arguments_and_environment_to_itself(launch_file, ros2):
    launch_file("""
        SetLaunchConfiguration('a', 'out'),
        GroupAction([
            SetLaunchConfiguration('a', 'in'), SetEnvironmentVariable('SCRATCH', 'in'),
            LogInfo(msg=['group ', LaunchConfiguration('a'), EnvironmentVariable('SCRATCH')]),
            Node(package='scratch', executable='env_exe', arguments=['SCRATCH'], output='screen'),
        ]),
        LogInfo(msg=['later ', LaunchConfiguration('a'),
                     EnvironmentVariable('SCRATCH', default_value=' unset')]),
        GroupAction([SetLaunchConfiguration('a', 'open')], scoped=False),
        LogInfo(msg=['last ', LaunchConfiguration('a')]),
    """)

    _, output = ros2('launch', 'scratch', 'test.launch.py')

    assert 'group inin' in output
    assert '[env_exe-1] in' in output
    assert 'later out unset' in output
    assert 'last open' in output


def test_timer_runs_later_and_refuses_an_int(launch_file, ros2):
    launch_file("TimerAction(period=0.05, actions=[LogInfo(msg='timer')]), LogInfo(msg='first')")

    _, output = ros2('launch', 'scratch', 'test.launch.py')
    assert output.index('first') < output.index('timer')

    launch_file('TimerAction(period=1, actions=[])')
    assert ros2('launch', 'scratch', 'test.launch.py')[0] == 1


def test_unknown_keyword_of_an_action_is_refused(launch_file, ros2):
    launch_file("LogInfo(msg='x', colour='red')")

    code, output = ros2('launch', 'scratch', 'test.launch.py')

    assert code == 1
    assert "unexpected keyword argument 'colour'" in output
