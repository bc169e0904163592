from pathlib import Path
import runpy
import sys

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.develop import develop

package_name = 'sac_learner'
NATIVE = Path(package_name) / 'sac' / 'native'


def compile_kernel(root):
    """Compile the learner's kernel into the package under `root`; without it torch serves."""
    builder = runpy.run_path(str(NATIVE / 'build.py'))
    target = Path(root) / NATIVE / builder['LIBRARY']
    try:
        builder['build'](target)
    except (builder['BuildError'], OSError) as error:
        sys.stderr.write(f'sac_learner: learning will be slower, without its kernel: {error}\n')
        return []
    return [str(target)]


class BuildWithKernel(build_py):
    kernel = ()

    def run(self):
        super().run()
        self.kernel = compile_kernel(self.build_lib)

    def get_outputs(self, include_bytecode=1):
        return [*super().get_outputs(include_bytecode), *self.kernel]


class DevelopWithKernel(develop):
    def run(self):
        super().run()
        if not self.uninstall:
            compile_kernel('.')


setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    cmdclass={'build_py': BuildWithKernel, 'develop': DevelopWithKernel},
    package_data={package_name: ['py.typed', 'sac/native/*.cpp', 'sac/native/*.hpp']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{package_name}']),
        (f'share/{package_name}', ['package.xml']),
    ],
    install_requires=['setuptools'],
    extras_require={
        'test': ['pytest'],
        'gym': ['gymnasium[mujoco]'],
        'onnx': ['onnx', 'onnxscript'],
        'sweep': ['optuna'],
    },
    zip_safe=False,
    maintainer='SAC robot learning maintainers',
    maintainer_email='maintainers@users.noreply.example.org',
    description='Soft Actor-Critic learner: consumes transitions, publishes policy weights.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'sac_learner = sac_learner.main:main',
            'report = sac_learner.run.report:main',
            'offline = sac_learner.offline.command:main',
            'replay_hash = sac_learner.offline.replay_hash:main',
            'train = sac_learner.gym.train:main',
            'evaluate = sac_learner.gym.evaluate:main',
            'plot = sac_learner.gym.plot:main',
            'export = sac_learner.gym.export:main',
            'sweep = sac_learner.sweep.command:main',
        ]
    },
)
