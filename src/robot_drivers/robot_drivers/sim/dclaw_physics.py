"""The hand and its valve in MuJoCo, seen as ten position servos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from robot_drivers.dclaw.config import NAMES, REST_POSE
from robot_drivers.robot import Array, Image
from robot_drivers.sim.rendering import Cameras

import mujoco  # isort: skip  (after rendering, which chooses the GL backend)
import numpy as np  # isort: skip

MODEL = Path(__file__).resolve().parents[1] / 'models' / 'dclaw' / 'dclaw.xml'
STIFFNESS = 2.0  # [Nm/rad] at nominal gain, as robel-scenes

# What `vary_appearance` may change, at strength 1.
ASPECTS = ('colours', 'light', 'camera')
COLOUR_SPREAD, AMBIENT_SPREAD = 0.12, 0.15  # of 1
LIGHT_SPREAD = 0.3  # [m]
CAMERA_SHIFT, CAMERA_TURN = 0.01, 0.03  # [m], [rad] about each axis


class DclawPhysics:
    """Ten servos in the order of NAMES, the valve last. Angles in rad.

    ``goal``, ``torque`` and ``gain`` may be changed between two calls of ``advance``; call
    ``apply`` after changing them.
    """

    def __init__(self, physics_step: float = 0.005, seed: int | None = None) -> None:
        """Start limp in the rest pose, the valve anywhere if ``seed`` is given, else at 0.

        Args:
            physics_step: Integration step [s], 0.0025 to 0.005.
            seed: Of the valve's first angle.
        """
        if not 0.0005 <= physics_step <= 0.005:
            raise ValueError(f'physics_step must lie in [0.0005, 0.005] s, got {physics_step}')
        self.model = mujoco.MjModel.from_xml_path(str(MODEL))
        self.model.opt.timestep = physics_step
        self.data = mujoco.MjData(self.model)
        self.steps = 0
        joints = [self.model.joint(name) for name in NAMES]
        if [int(joint.qposadr[0]) for joint in joints] != list(range(len(NAMES))):
            raise ValueError(f'{MODEL} must hold exactly the joints {NAMES}, in this order')
        self.data.qpos[:9] = REST_POSE
        if seed is not None:
            self.data.qpos[9] = np.random.default_rng(seed).uniform(-np.pi, np.pi)
        self.goal = self.position
        self.torque = np.zeros(len(NAMES), dtype=bool)
        self.gain = np.ones(len(NAMES))  # relative to nominal
        self.cameras = Cameras(self.model)
        model = self.model
        self._look = {
            'colours': (model.mat_rgba.copy(),),
            'light': (model.light_pos.copy(), model.vis.headlight.ambient.copy()),
            'camera': (model.cam_pos.copy(), model.cam_quat.copy()),
        }
        self.apply()
        mujoco.mj_forward(self.model, self.data)

    @property
    def time(self) -> float:
        """Simulated time [s], counted in whole steps."""
        return self.steps * float(self.model.opt.timestep)

    @property
    def position(self) -> Array:
        """Joint angles, shape (10,), rad; the valve's counts turns."""
        return np.array(self.data.qpos)

    @property
    def velocity(self) -> Array:
        """Joint velocities, shape (10,), rad/s."""
        return np.array(self.data.qvel)

    @property
    def effort(self) -> Array:
        """Motor torques, shape (10,), Nm."""
        return np.array(self.data.actuator_force)

    def apply(self) -> None:
        """Bring changed goals, torque switches and gains into the simulation."""
        stiffness = np.where(self.torque, STIFFNESS * self.gain, 0.0)
        self.model.actuator_gainprm[:, 0] = stiffness
        self.model.actuator_biasprm[:, 1] = -stiffness
        self.data.ctrl[:] = self.goal

    def advance(self, steps: int) -> None:
        """Integrate ``steps`` physics steps."""
        mujoco.mj_step(self.model, self.data, steps)
        self.steps += steps

    def push(self, joint: str, angle: float) -> None:
        """Put one joint somewhere, at rest: a person's hand."""
        index = NAMES.index(joint)
        self.data.qpos[index], self.data.qvel[index] = angle, 0.0
        mujoco.mj_forward(self.model, self.data)

    def render(self, camera: str, height: int, width: int) -> Image:
        """Return the present view, (height, width, 3) RGB."""
        # mj_step leaves positions of bodies one step old; the image shall match the joint angles.
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)
        return self.cameras.render(self.data, camera, height, width)

    def vary_appearance(
        self, seed: int | None, strength: float = 1.0, aspects: Sequence[str] = ASPECTS
    ) -> None:
        """Change how the scene looks, for robustness tests.

        The prongs keep their hues apart, since only colour tells the target prong.

        Args:
            seed: Which of many appearances; None: as built.
            strength: Factor on every change, at least 0.
            aspects: Which of ASPECTS change; the others are as built.

        Raises:
            ValueError: An aspect is unknown, or the strength negative.
        """
        if unknown := sorted(set(aspects) - set(ASPECTS)):
            raise ValueError(f'no aspect {unknown[0]!r} of the scene; there are {ASPECTS}')
        if strength < 0.0:
            raise ValueError(f'strength must be at least 0, got {strength}')

        def drawn(aspect: str, *size: int) -> Array:
            """Return numbers in [-1, 1] that do not depend on the other aspects."""
            scale = strength if seed is not None and aspect in aspects else 0.0
            rng = np.random.default_rng([seed or 0, ASPECTS.index(aspect)])
            return scale * rng.uniform(-1.0, 1.0, size)

        model = self.model
        (colours,) = self._look['colours']
        varied = colours[:, :3] + COLOUR_SPREAD * drawn('colours', len(colours), 3)
        model.mat_rgba[:, :3] = np.clip(varied, 0.0, 1.0)
        place, ambient = self._look['light']
        change = drawn('light', len(place) + 1, 3)
        model.light_pos[:] = place + LIGHT_SPREAD * change[:-1]
        model.vis.headlight.ambient[:] = np.clip(ambient + AMBIENT_SPREAD * change[-1], 0.0, 1.0)
        place, turned = self._look['camera']
        change = drawn('camera', len(place), 6)
        model.cam_pos[:] = place + CAMERA_SHIFT * change[:, :3]
        for index, angles in enumerate(CAMERA_TURN * change[:, 3:]):
            rotation = np.array(turned[index])
            mujoco.mju_quatIntegrate(rotation, angles, 1.0)
            model.cam_quat[index] = rotation
