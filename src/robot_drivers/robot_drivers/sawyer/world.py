"""The simulated arm and brick: MuJoCo behind the twin and behind the emulated robot."""

from pathlib import Path
from typing import Literal

import mujoco
import numpy as np
from numpy.typing import NDArray

from robot_drivers.sawyer.description import Array, DRIVE_EFFORT, LINK_NAMES

Variant = Literal['domed', 'plain']
MODELS = Path(__file__).resolve().parents[1] / 'models' / 'sawyer'
FILES: dict[Variant, str] = {'domed': 'sawyer_stack.xml', 'plain': 'sawyer_stack_plain.xml'}

_GRAVITY = 9.81


class SawyerWorld:
    """Physics in steps of 2 ms; torques are added to the arm's gravity compensation.

    Attributes:
        model: The compiled MuJoCo model.
        data: Its state.
    """

    def __init__(self, variant: Variant = 'domed') -> None:
        """Load a variant of the cell.

        Raises:
            ValueError: The variant is unknown.
        """
        if variant not in FILES:
            raise ValueError(f'unknown variant {variant!r}; there are {sorted(FILES)}')
        self.model = mujoco.MjModel.from_xml_path(str(MODELS / FILES[variant]))
        self.data = mujoco.MjData(self.model)
        self._renderer: mujoco.Renderer | None = None
        bodies = [self.model.body(name).id for name in (*LINK_NAMES, 'right_hand')]
        self._links = np.array(bodies)
        self._site = self.model.site('wrench').id
        brick = self.model.body('held_brick').id
        self._brick_weight = float(self.model.body_mass[brick]) * _GRAVITY

    @property
    def timestep(self) -> float:
        """Length of a physics step [s]."""
        return float(self.model.opt.timestep)

    @property
    def time(self) -> float:
        """Simulated time since the last reset of the clock [s]."""
        return float(self.data.time)

    def place(self, positions: Array) -> None:
        """Put the arm at rest at joint positions [rad], shape (7,); the clock goes on."""
        time = self.data.time
        mujoco.mj_resetData(self.model, self.data)
        self.data.time = time
        self.data.qpos[:] = positions
        mujoco.mj_forward(self.model, self.data)

    def step(self, torques: Array, steps: int = 1) -> None:
        """Apply joint torques [Nm], shape (7,), beyond gravity for some physics steps."""
        self.data.ctrl[:] = torques
        mujoco.mj_step(self.model, self.data, steps)

    def push_hand(self, force: Array) -> None:
        """Apply a force [N], shape (3,), at the hand until the next call."""
        self.data.xfrc_applied[self._links[-1], :3] = force

    def render(self, width: int, height: int, camera: str) -> NDArray[np.uint8]:
        """Return a picture (height, width, 3), RGB, through a named camera."""
        if self._renderer is None or (self._renderer.width, self._renderer.height) != (
            width,
            height,
        ):
            self.close()
            self._renderer = mujoco.Renderer(self.model, height, width)
        self._renderer.update_scene(self.data, camera)
        picture: NDArray[np.uint8] = self._renderer.render()
        return picture

    def close(self) -> None:
        """Free the renderer; may be called twice."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    @property
    def positions(self) -> Array:
        """Joint positions [rad], shape (7,)."""
        return self.data.qpos.copy()  # type: ignore[no-any-return]

    @property
    def velocities(self) -> Array:
        """Joint velocities [rad/s], shape (7,)."""
        return self.data.qvel.copy()  # type: ignore[no-any-return]

    @property
    def efforts(self) -> Array:
        """Torques of the drives, gravity compensation included [Nm], shape (7,)."""
        torques = self.data.qfrc_actuator + self.data.qfrc_gravcomp
        clipped: Array = np.clip(torques, -DRIVE_EFFORT, DRIVE_EFFORT)
        return clipped

    @property
    def link_origins(self) -> Array:
        """Origins of right_l0..right_l6 and right_hand, at most a step old [m], shape (8, 3)."""
        return self.data.xpos[self._links]  # type: ignore[no-any-return]

    @property
    def wrench(self) -> Array:
        """Force [N] and torque [Nm] of the surroundings on the held brick, shape (6,).

        In the base frame, about the brick's top.
        """
        frame = self.data.site_xmat[self._site].reshape(3, 3)
        force = -frame @ self.data.sensordata[:3]
        force[2] += self._brick_weight
        return np.concatenate([force, -frame @ self.data.sensordata[3:6]])
