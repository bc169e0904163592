"""The Minitaur walks forward: ``ros2 launch sac_agent minitaur_walk.launch.py``.

Simulated by default: an emulated motor controller with the body behind it, and the real driver.
"""

from pathlib import Path
from socket import SOCK_DGRAM

from launch.actions import DeclareLaunchArgument

from sac_agent import launching

HERE = Path(__file__).resolve().parent
CONFIG = HERE.parent / 'config'
WORLD = ['friction', 'gain', 'noise', 'latency']
ARGUMENTS = [
    *launching.run_arguments(steps=80000, episodes=10),
    DeclareLaunchArgument(
        'backend',
        default_value='sim',
        choices=['sim', 'hardware'],
        description='Emulated robot, or the motor controller of a real one.',
    ),
    DeclareLaunchArgument(
        'port',
        default_value='',
        description='host:port of the motor controller with backend:=hardware. '
        'Default: 169.254.98.2:15001.',
    ),
    DeclareLaunchArgument(
        'terrain',
        default_value='flat',
        choices=['flat', 'slope_up', 'slope_down', 'blocks', 'stairs_down'],
        description='Simulated ground; those that are not flat are for evaluate:=.',
    ),
    DeclareLaunchArgument(
        'friction', default_value='1.0', description='Of simulated feet and ground, 0.1 to 3.'
    ),
    DeclareLaunchArgument(
        'gain', default_value='1.0', description='Scales the gains of the simulated motors.'
    ),
    DeclareLaunchArgument(
        'noise',
        default_value='0.0',
        description='Scales the noise of the simulated sensors, 0 to 10: 1 is 0.003 rad of a '
        'motor angle and 0.01 rad of tilt.',
    ),
    DeclareLaunchArgument(
        'latency',
        default_value='0.0',
        description='Age of the simulated sensor values, 0 to 0.2 [s]; the control step of delay '
        'in the YAML file comes on top.',
    ),
]


def start(context):
    """Start the emulated robot or none, the driver, and what learns."""
    value = launching.values(context, ARGUMENTS)
    world = [f'--{name} {launching.number(value, name, 10.0)}' for name in WORLD]

    def driver():
        port = launching.free_port(SOCK_DGRAM, 2)
        return {
            'driver': 'minitaur',
            'port': value['port'],
            'emulator': 'minitaur_emulator',
            'emulated_port': f'127.0.0.1:{port}',
            'emulator_arguments': f'--robot-port {port} --clock {{clock}} --seed {{seed}} '
            f'--terrain {value["terrain"]} {" ".join(world)}',
        }

    return launching.robot_and_learner(
        HERE,
        value,
        robot=CONFIG / 'minitaur_walk.yaml',
        namespace='minitaur',
        driver=driver,
        twin='robot_drivers.minitaur.twin:MinitaurTwin',
    )


def generate_launch_description():
    """Check what was given, then start what is needed."""
    return launching.description(ARGUMENTS, start)
