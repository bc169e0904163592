from pathlib import Path

from setuptools import find_packages, setup

package_name = 'robot_drivers'


def models():
    """Every folder of models/ with the files in it, to be installed below share/."""
    root = Path(__file__).parent / package_name / 'models'
    files = [p for p in root.rglob('*') if p.is_file() and p.suffix not in ('.py', '.pyc')]
    return [str(path.relative_to(root.parent)) for path in files]


setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    package_data={package_name: ['py.typed', *models()]},
    data_files=[
        ('share/ament_index/resource_index/packages', ['resource/' + package_name]),
        ('share/' + package_name, ['package.xml']),
    ],
    install_requires=['setuptools', 'numpy', 'dynamixel-sdk>=4.0.5'],
    extras_require={
        'sim': ['mujoco>=4.0,<4.1'],
        'camera': ['opencv-python-headless'],
        'test': ['pytest'],
    },
    zip_safe=False,
    maintainer='SAC robot learning maintainers',
    maintainer_email='maintainers@users.noreply.example.org',
    description='Drivers of D-Claw, Minitaur and Sawyer, with the twins they are trained on.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'robot_node = robot_drivers.main:main',
            'dclaw_emulator = robot_drivers.dclaw.emulator.main:main',
            'minitaur_emulator = robot_drivers.minitaur.emulator:main',
            'describe_robot = robot_drivers.sim.describe.main:main',
            'minitaur_pd_node = robot_drivers.main:minitaur_pd',
            'sawyer_emulator = robot_drivers.sawyer.emulator:main',
        ],
        'robot_drivers.robots': [
            'dclaw = robot_drivers.dclaw:ROBOT',
            'minitaur = robot_drivers.minitaur:ROBOT',
            'sawyer = robot_drivers.sawyer:ROBOT',
            'dclaw_gazebo = robot_drivers.gazebo:DCLAW',
            'minitaur_gazebo = robot_drivers.gazebo:MINITAUR',
            'sawyer_gazebo = robot_drivers.gazebo:SAWYER',
        ],
    },
)
