from pathlib import Path

from setuptools import find_packages, setup

package_name = 'sac_agent'


def installed(folder, pattern):
    # A renamed file leaves a dangling link in a --symlink-install build.
    return [str(path) for path in sorted(Path(folder).glob(pattern)) if path.is_file()]


setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    package_data={package_name: ['py.typed']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{package_name}']),
        (f'share/{package_name}', ['package.xml']),
        (f'share/{package_name}/launch', installed('launch', '*.launch.py')),
        (f'share/{package_name}/config', installed('config', '*.yaml')),
        (f'share/{package_name}/config/settings', installed('config/settings', '*.yaml')),
        (f'share/{package_name}/config/dds', installed('config/dds', '*.xml')),
    ],
    install_requires=['setuptools'],
    extras_require={'test': ['pytest'], 'sim': ['gymnasium']},
    zip_safe=False,
    maintainer='SAC robot learning maintainers',
    maintainer_email='maintainers@users.noreply.example.org',
    description='Runs the policy of a learning robot.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'sac_agent = sac_agent.main:main',
            'check_config = sac_agent.tools.check_config:run',
            'preflight = sac_agent.tools.preflight:run',
            'recover_bag = sac_agent.tools.recover_bag:run',
            'relabel = sac_agent.tools.relabel:run',
            'verify_bag = sac_agent.tools.verify_bag:run',
            'convert_bag = sac_agent.tools.convert_bag:run',
            'film = sac_agent.tools.film:main',
            'robustness = sac_agent.tools.robustness:main',
        ],
        'sac_agent.tasks': [
            'dclaw_valve = sac_agent.tasks.dclaw_valve:DclawValve',
            'minitaur_walk = sac_agent.tasks.minitaur_walk:MinitaurWalk',
            'sawyer_stack = sac_agent.tasks.sawyer_stack:SawyerStack',
        ],
    },
)
