from setuptools import find_packages, setup

package_name = 'sac_core'

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
    extras_require={'test': ['pytest']},
    zip_safe=False,
    maintainer='SAC robot learning maintainers',
    maintainer_email='maintainers@users.noreply.example.org',
    description='What driver, agent and learner agree on.',
    license='Apache-2.0',
)
