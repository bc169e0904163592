import contextlib
import os
import re
import signal
import sys
import time

import psutil
import pytest

from .conftest import eventually

NODE = "Node(package='scratch', executable='{}', arguments=[{}], output='screen', {})"


def node(executable: str, arguments: str = '', more: str = '') -> str:
    return NODE.format(executable, arguments, more)


def pid_of(line: str) -> int:
    match = re.search(r'pid \[(\d+)\]', line)
    assert match is not None
    return int(match[1])


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_end_of_a_process_is_told_and_status_stays_0(launch_file, ros2):
    launch_file(f'{node("exit_exe", repr("0"))}, {node("exit_exe", repr("7"))}')

    code, output = ros2('launch', 'scratch', 'test.launch.py')

    assert code == 0
    assert re.search(r'\[INFO\] \[exit_exe-1\]: process started with pid \[\d+\]', output)
    assert re.search(r'\[INFO\] \[exit_exe-1\]: process has finished cleanly \[pid \d+\]', output)
    assert re.search(
        r"\[ERROR\] \[exit_exe-2\]: process has died \[pid \d+, exit code 7, cmd '.*exit_exe 7 "
        r"--ros-args'\]\.",
        output,
    )


def test_log_output_shows_standard_error_only(launch_file, ros2):
    launch_file("Node(package='scratch', executable='talk_exe')")

    _, output = ros2('launch', 'scratch', 'test.launch.py')
    assert '[talk_exe-1] to stderr' in output
    assert 'to stdout' not in output
    directory = re.search(r'found below (\S+)', output)[1]
    with open(os.path.join(directory, 'launch.log')) as log:  # noqa: PTH118, PTH123
        content = log.read()
    assert re.search(r'^\d+\.\d{7} \[talk_exe-1\] to stdout$', content, re.MULTILINE)

    _, output = ros2('launch', '-a', 'scratch', 'test.launch.py')
    assert '[talk_exe-1] to stdout' in output


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_to_launch_ends_the_processes_politely(launch_file, start, number):
    launch_file(node('polite_exe'))
    running = start('launch', 'scratch', 'test.launch.py')
    pid = pid_of(running.wait_for('process started'))
    running.wait_for('polite is up')

    running.send(number)

    assert running.finish() == 0
    output = '\n'.join(running.lines)
    if number == signal.SIGINT:
        assert '[WARNING] [launch]: user interrupted with ctrl-c (SIGINT)' in output
    assert "[INFO] [polite_exe-1]: sending signal 'SIGINT' to process[polite_exe-1]" in output
    assert '[polite_exe-1] polite leaves on SIGINT' in output
    assert is_gone(pid)


def test_stubborn_process_is_terminated_and_then_killed(launch_file, start):
    launch_file(node('stubborn_exe'))
    running = start(
        'launch', 'scratch', 'test.launch.py', 'sigterm_timeout:=1', 'sigkill_timeout:=2'
    )
    running.wait_for('stubborn is up')

    began = time.monotonic()
    running.send(signal.SIGINT)
    running.wait_for('failed to terminate')
    until_sigterm = time.monotonic() - began
    running.send(signal.SIGINT)
    code = running.finish()
    until_sigkill = time.monotonic() - began

    assert code == 0
    assert 1.0 <= until_sigterm < 2.5
    assert 3.0 <= until_sigkill < 5.0
    label = 'process[stubborn_exe-1]'
    output = '\n'.join(running.lines)
    assert (
        f"[ERROR] [stubborn_exe-1]: {label} failed to terminate '1' seconds after receiving "
        "'SIGINT', escalating to 'SIGTERM'"
    ) in output
    assert (
        f"{label} failed to terminate '3.0' seconds after receiving 'SIGTERM', "
        "escalating to 'SIGKILL'"
    ) in output
    assert 'user interrupted with ctrl-c (SIGINT) again, ignoring...' in output
    assert 'exit code -9' in output


def test_end_of_a_required_process_ends_everything(launch_file, ros2):
    launch_file(
        f'{node("polite_exe")}, '
        + node('exit_exe', repr('7'), "on_exit=Shutdown(reason='required')")
    )

    code, output = ros2('launch', 'scratch', 'test.launch.py')

    assert code == 0
    assert 'exit code 7' in output
    assert (
        '[INFO] [launch]: process[exit_exe-2] was required: shutting down launched system'
        in output
    )


def test_handler_can_make_the_launch_fail(launch_file, ros2):
    launch_file(
        f'{node("polite_exe")}, ' + node('exit_exe', repr('7'), 'on_exit=fail_on_error'),
        before="""
        def fail_on_error(event, context):
            if event.returncode:
                raise RuntimeError(f'{event.process_name} failed with {event.returncode}')
        """,
    )

    code, output = ros2('launch', 'scratch', 'test.launch.py')

    assert code == 1
    assert (
        'Caught exception in launch (see debug for traceback): exit_exe-2 failed with 7' in output
    )
    assert "sending signal 'SIGINT' to process[polite_exe-1]" in output


def test_event_handlers_see_start_and_exit(launch_file, ros2):
    launch_file(
        """
        first := Node(package='scratch', executable='exit_exe', arguments=['0']),
        RegisterEventHandler(OnProcessStart(target_action=first,
                                            on_start=LogInfo(msg='it began'))),
        RegisterEventHandler(OnProcessExit(target_action=first, on_exit=[
            Node(package='scratch', executable='echo_exe', arguments=['then this'],
                 output='screen')])),
        RegisterEventHandler(OnShutdown(on_shutdown=[LogInfo(msg='all ends')])),
        """
    )

    code, output = ros2('launch', 'scratch', 'test.launch.py')

    assert code == 0
    order = [
        output.index(text) for text in ('it began', 'finished cleanly', 'then this', 'all ends')
    ]
    assert order == sorted(order)


def test_respawn_starts_again_under_the_same_label(launch_file, ros2):
    launch_file(node('exit_exe', repr('0'), 'respawn=True, respawn_max_retries=2'))

    code, output = ros2('launch', 'scratch', 'test.launch.py')

    assert code == 0
    assert output.count('[exit_exe-1]: process started') == 3


def test_interrupt_ends_the_wait_for_a_respawn(launch_file, start):
    launch_file(node('exit_exe', repr('0'), 'respawn=True, respawn_delay=1000.0'))
    running = start('launch', 'scratch', 'test.launch.py')
    running.wait_for('finished cleanly')

    running.send(signal.SIGINT)

    assert running.finish(timeout=10.0) == 0


def test_no_process_outlives_an_exception(launch_file, start):
    launch_file(f"""
        {node('polite_exe')},
        TimerAction(period=0.5, actions=[OpaqueFunction(function=lambda context: 1 / 0)]),
    """)
    running = start('launch', 'scratch', 'test.launch.py')
    pid = pid_of(running.wait_for('process started'))

    assert running.finish() == 1
    assert eventually(lambda: is_gone(pid))


def test_exception_before_the_start_starts_nothing(launch_file, ros2):
    launch_file(f'{node("polite_exe")}, OpaqueFunction(function=lambda context: 1 / 0)')

    code, output = ros2('launch', 'scratch', 'test.launch.py')

    assert code == 1
    assert 'process started' not in output


def test_environment_of_a_process(launch_file, ros2):
    launch_file(
        'SetEnvironmentVariable("ONE", "1"), '
        + node('env_exe', "'ONE', 'TWO'", "additional_env={'TWO': LaunchConfiguration('two')}")
    )

    assert '[env_exe-1] 1 2' in ros2('launch', 'scratch', 'test.launch.py', 'two:=2')[1]


def test_run_hands_over_the_exit_status(package, ros2):
    assert ros2('run', 'scratch', 'exit_exe', '3') == (
        3,
        'up\n[ros2run]: Process exited with failure 3',
    )
    assert ros2('run', 'scratch', 'exit_exe', '0') == (0, 'up')
    assert ros2('run', 'scratch', 'nothing') == (1, 'No executable found')


def test_run_survives_the_interrupt_that_ends_its_executable(package, start):
    running = start('run', 'scratch', 'polite_exe')
    running.wait_for('polite is up')

    os.killpg(running.process.pid, signal.SIGINT)

    assert running.finish() == 0
    assert 'polite leaves on SIGINT' in running.lines


def test_ctrl_c_on_a_terminal_reaches_each_process_once(launch_file):
    path = launch_file(node('polite_exe'))
    master, slave = os.openpty()
    pid = os.fork()
    if pid == 0:
        os.login_tty(slave)
        os.execv(sys.executable, [sys.executable, '-m', 'ros2_command', 'launch', str(path)])
    os.close(slave)
    output = b''
    with open(master, 'rb', buffering=0) as terminal:  # noqa: PTH123
        while b'polite is up' not in output:
            output += terminal.read(4096)
        os.write(master, b'\x03')
        with contextlib.suppress(OSError):  # a terminal whose other end is closed
            while data := terminal.read(4096):
                output += data
    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert b'user interrupted with ctrl-c (SIGINT)' in output
    assert b"sending signal 'SIGINT'" not in output
    assert output.count(b'polite leaves on SIGINT') == 1
