from setuptools import find_packages, setup

package_name = 'sac_learner'

setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    package_data={package_name: ['py.typed']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{package_name}']),
        (f'share/{package_name}', ['package.xml']),
    ],
    install_requires=['setuptools'],
    extras_require={'test': ['pytest'], 'gym': ['gymnasium', 'mujoco']},
    zip_safe=False,
    maintainer='SAC robot learning maintainers',
    maintainer_email='maintainers@users.noreply.example.org',
    description='Soft Actor-Critic learner: consumes transitions, publishes policy weights.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'sac_learner = sac_learner.learner_node:main',
            'report = sac_learner.report:main',
        ]
    },
)
