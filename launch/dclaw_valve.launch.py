"""The D'Claw turns a valve: ``ros2 launch sac_agent dclaw_valve.launch.py``.

Simulated by default: an emulated servo bus with the hand behind it, and the real driver on it.
"""

from pathlib import Path

from launch.actions import DeclareLaunchArgument

from sac_agent import launching

HERE = Path(__file__).resolve().parent
CONFIG = HERE.parent / 'config'
STEPS = {'state': '60000', 'image': '150000'}
ARGUMENTS = [
    *(a for a in launching.run_arguments(steps=60000, episodes=20) if a.name != 'steps'),
    DeclareLaunchArgument(
        'steps',
        default_value='',
        description='Training steps of all robots together at which the run ends. Default: '
        f'{STEPS["state"]}, from images {STEPS["image"]}.',
    ),
    DeclareLaunchArgument(
        'backend',
        default_value='sim',
        choices=['sim', 'hardware'],
        description='Emulated hand, or the serial port of a real one.',
    ),
    DeclareLaunchArgument(
        'port',
        default_value='/dev/ttyUSB0',
        description='Serial port with backend:=hardware; better a link in /dev/serial/by-id.',
    ),
    DeclareLaunchArgument(
        'observe',
        default_value='state',
        choices=['state', 'image'],
        description='Valve angle from the motor, or a 32x32 camera image instead of it.',
    ),
    DeclareLaunchArgument(
        'appearance',
        default_value='',
        description='Seed of other colours, light and camera pose of the simulated hand, to '
        'evaluate how robust a policy is. Default: as built.',
    ),
    DeclareLaunchArgument(
        'viewer',
        default_value='false',
        choices=['true', 'false'],
        description='Show the simulated hand in a window.',
    ),
]


def start(context):
    """Start the emulated hand or none, the driver, and what learns."""
    value = launching.values(context, ARGUMENTS)
    value['steps'] = value['steps'] or STEPS[value['observe']]
    if value['appearance']:
        launching.whole_numbers(value, 'appearance')
    hardware = value['backend'] == 'hardware'
    images = value['observe'] == 'image'
    driver = {
        'driver': 'dclaw',
        'port': value['port'],
        'camera': ('v4l2' if hardware else 'emulated') if images else 'none',
        'emulator': 'dclaw_emulator',
        'emulated_port': '{temporary}/bus',
        'emulator_arguments': '--link {port} --clock {clock} --seed {seed}'
        + (f' --appearance {value["appearance"]}' if value['appearance'] else '')
        + (' --viewer' if value['viewer'] == 'true' else ''),
    }
    return launching.robot_and_learner(
        HERE,
        value,
        robot=CONFIG / ('dclaw_valve_image.yaml' if images else 'dclaw_valve.yaml'),
        namespace='dclaw',
        driver=lambda: driver,
        twin='robot_drivers.sim.dclaw:DclawTwin',
    )


def generate_launch_description():
    """Check what was given, then start what is needed."""
    return launching.description(ARGUMENTS, start)
