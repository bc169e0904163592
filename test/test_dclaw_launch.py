"""Arguments of the valve's launch file reach the processes they are meant for."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from launch import LaunchContext
from launch.actions import DeclareLaunchArgument
import pytest

FILE = Path(__file__).resolve().parents[1] / 'launch' / 'dclaw_valve.launch.py'


def started(monkeypatch, **arguments):
    """Return the values and the driver's arguments as the launch file hands them on."""
    spec = spec_from_file_location('dclaw_valve_launch', FILE)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    context = LaunchContext()
    context.launch_configurations.update(arguments)
    for action in module.generate_launch_description().entities:
        if isinstance(action, DeclareLaunchArgument):
            action.visit(context)

    def handed_on(here, value, *, robot, driver, **_):
        return {**value, 'robot': str(robot)}, driver()

    monkeypatch.setattr(module.launching, 'robot_and_learner', handed_on)
    return module.start(context)


@pytest.mark.parametrize(
    ('arguments', 'steps', 'robot'),
    [
        ({}, '60000', 'dclaw_valve.yaml'),
        ({'observe': 'image'}, '150000', 'dclaw_valve_image.yaml'),
        ({'observe': 'image', 'steps': '500'}, '500', 'dclaw_valve_image.yaml'),
    ],
)
def test_images_take_more_steps_unless_told_otherwise(monkeypatch, arguments, steps, robot):
    learning, _ = started(monkeypatch, **arguments)
    assert learning['steps'] == steps
    assert Path(learning['robot']).name == robot


def test_appearance_is_the_emulators(monkeypatch):
    _, driver = started(monkeypatch, observe='image', appearance='3')
    assert driver['emulator_arguments'].endswith(' --appearance 3')
    _, driver = started(monkeypatch, observe='image')
    assert '--appearance' not in driver['emulator_arguments']
    with pytest.raises(RuntimeError, match="appearance must be a whole number, got 'red'"):
        started(monkeypatch, appearance='red')
