"""The body of Minitaur in MuJoCo: torques in, joint angles and inertial quantities out.

Used by the emulated motor controller and by the twin; imports MuJoCo, so nothing else may import
it on the robot. Model: `models/minitaur/minitaur.xml`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robot_drivers.minitaur import leg
from robot_drivers.minitaur.terrain import add_terrain, Terrain

Array = NDArray[np.float64]

MODEL = Path(__file__).resolve().parents[1] / 'models' / 'minitaur' / 'minitaur.xml'
START_ANGLE = np.pi / 2  # of every motor when the robot is placed [rad]
TRUNK = ('base_chassis_link', 'chassis_left', 'chassis_right')
CLEARANCE = 0.002  # of the feet above the ground when it is placed [m]


@dataclass(frozen=True)
class Placement:
    """Where the robot is set down, and how much it is perturbed until the next time."""

    x: float = 0.0  # [m]
    y: float = 0.0  # [m]
    yaw: float = 0.0  # [rad]
    perturb: float = 0.0  # scale of perturbation.py, 0: not at all


def load_model(terrain: Terrain, timestep: float) -> mujoco.MjModel:
    """Return the compiled model of the robot on a terrain."""
    spec = mujoco.MjSpec.from_file(str(MODEL))
    add_terrain(spec, terrain)
    model = spec.compile()
    model.opt.timestep = timestep
    model.geom_friction[:, 0] = terrain.friction
    if terrain.kind == 'blocks':
        # Newton's method, and pyramids, do not converge where links lie on a loose block's edge.
        model.opt.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
        model.opt.solver = mujoco.mjtSolver.mjSOL_CG
    return model


class MinitaurSimulation:
    """One robot on one terrain."""

    def __init__(self, terrain: Terrain | None = None, timestep: float = 0.002) -> None:
        """Compile the model and place the robot.

        Args:
            terrain: The ground; None is flat.
            timestep: Of the physics, 1 or 2 ms; at 4 ms the legs open by 4 mm [s].

        Raises:
            ValueError: The time step is too coarse.
        """
        if not 1e-4 <= timestep <= 0.0025:
            raise ValueError(f'timestep must be in [0.0001, 0.0025] s, got {timestep}')
        self.model = load_model(terrain or Terrain(), timestep)
        self.data = mujoco.MjData(self.model)
        joints = [self.model.joint(name) for name in leg.MOTOR_JOINTS]
        knees = [self.model.joint(name.replace('motor', 'knee')) for name in leg.MOTOR_JOINTS]
        self._qpos = np.array([joint.qposadr[0] for joint in joints])
        self._qvel = np.array([joint.dofadr[0] for joint in joints])
        self._knee_qpos = np.array([joint.qposadr[0] for joint in knees])
        self._pins = [
            [self.model.site(f'pin_{name}{side}').id for side in 'LR'] for name in leg.LEGS
        ]
        self._trunk = [self.model.body(name).id for name in TRUNK]
        self._trunk_mass = self.model.body_mass[self._trunk].copy()
        self._trunk_inertia = self.model.body_inertia[self._trunk].copy()
        self._friction = self.model.geom_friction[:, 0].copy()
        self._renderer: Any = None
        self.place(Placement())

    @property
    def timestep(self) -> float:
        """Of the physics [s]."""
        return float(self.model.opt.timestep)

    def place(self, placement: Placement, theta: Array | None = None) -> None:
        """Set the robot down at rest, motors at ``theta`` (8,) [rad], all at pi/2 by default."""
        theta = np.full(8, START_ANGLE) if theta is None else np.asarray(theta, dtype=float)
        mujoco.mj_resetData(self.model, self.data)
        qpos = self.data.qpos
        height = CLEARANCE - leg.feet(theta)[:, 2].min()
        qpos[:3] = placement.x, placement.y, height
        qpos[3:7] = np.cos(placement.yaw / 2), 0.0, 0.0, np.sin(placement.yaw / 2)
        qpos[self._qpos] = theta
        qpos[self._knee_qpos] = leg.knee_angles(theta)
        mujoco.mj_forward(self.model, self.data)

    def change(self, *, mass: float, friction: float) -> None:
        """Set mass and inertia of the body, and the friction, as shares of the nominal ones."""
        self.model.body_mass[self._trunk] = mass * self._trunk_mass
        self.model.body_inertia[self._trunk] = mass * self._trunk_inertia
        self.model.geom_friction[:, 0] = friction * self._friction

    def push(self, force: Array, point: Array) -> None:
        """Push the body, until another push or a placement.

        Args:
            force: In the world frame (3,) [N].
            point: Where, from the middle of the body in its own frame (3,) [m].
        """
        body = self._trunk[0]
        arm = self.data.xmat[body].reshape(3, 3) @ point
        self.data.xfrc_applied[body] = np.concatenate([force, np.cross(arm, force)])

    def step(self, torque: Array) -> None:
        """Apply motor torques (8,) [Nm] for one time step."""
        self.data.ctrl[:] = torque
        mujoco.mj_step(self.model, self.data)

    @property
    def motor_position(self) -> Array:
        """Motor angles theta (8,) [rad]."""
        return np.asarray(self.data.qpos[self._qpos])

    @property
    def motor_velocity(self) -> Array:
        """Motor velocities (8,) [rad/s]."""
        return np.asarray(self.data.qvel[self._qvel])

    @property
    def position(self) -> Array:
        """Of the base in the world (3,) [m]."""
        return np.array(self.data.qpos[:3])

    @property
    def orientation(self) -> Array:
        """Of the base in the world (4,), x y z w, of unit length."""
        w, x, y, z = self.data.qpos[3:7]
        return np.asarray([x, y, z, w] / np.sqrt(w * w + x * x + y * y + z * z))

    @property
    def linear_velocity(self) -> Array:
        """Of the base, in the world frame (3,) [m/s]."""
        return np.array(self.data.qvel[:3])

    @property
    def gyro(self) -> Array:
        """Angular velocity in the body frame (3,) [rad/s]."""
        return np.array(self.data.qvel[3:6])

    @property
    def accelerometer(self) -> Array:
        """Specific force at the IMU (3,) [m/s^2], +9.81 upward at rest, one time step old."""
        return np.array(self.data.sensordata[3:6])

    def render(self, width: int, height: int, camera: str) -> NDArray[np.uint8]:
        """Return what a camera sees, (height, width, 3), RGB; the renderer is kept."""
        renderer = self._renderer
        if renderer is None or (renderer.width, renderer.height) != (width, height):
            if renderer is not None:
                renderer.close()
            renderer = self._renderer = mujoco.Renderer(self.model, height, width)
        renderer.update_scene(self.data, camera)
        return np.array(renderer.render(), dtype=np.uint8)

    def close(self) -> None:
        """Free the renderer; may be called twice."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def closure_error(self) -> float:
        """Return the largest gap between two lower links at their pin [m]."""
        mujoco.mj_kinematics(self.model, self.data)
        sites = self.data.site_xpos
        return max(float(np.linalg.norm(sites[a] - sites[b])) for a, b in self._pins)
