"""What Gazebo needs to know of each robot besides its MuJoCo model: controllers and sensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import mujoco
import numpy as np

from robot_drivers.dclaw import config as dclaw
from robot_drivers.minitaur import leg
from robot_drivers.minitaur.motor import MotorModel
from robot_drivers.minitaur.simulation import CLEARANCE, load_model, START_ANGLE
from robot_drivers.minitaur.terrain import Terrain
from robot_drivers.models import directory
from robot_drivers.sawyer import description as sawyer
from robot_drivers.sim.describe.parts import Description
from robot_drivers.sim.describe.reader import read

NO_LOAD_SPEED = 77 * 2 * np.pi / 60  # of an XM430-W210 at 12 V (e-manual) [rad/s]
POSITION_GAIN = 0.1  # of gz_ros2_control: with RATE, a joint follows in 1 / (gain rate) = 50 ms


@dataclass(frozen=True)
class Controller:
    """A forward command controller; its topic is ``NAME/commands``."""

    name: str
    interface: Literal['position', 'effort']
    joints: tuple[str, ...]


@dataclass(frozen=True)
class GazeboSetup:
    """One robot in Gazebo."""

    name: str
    model: Callable[[], Any]  # mujoco.MjModel
    controllers: tuple[Controller, ...]
    rate: int  # [Hz] of the controllers
    zero: Mapping[str, float] = field(default_factory=dict)  # see parts.Joint.zero
    initial: Mapping[str, float] = field(default_factory=dict)  # [rad] at the start
    velocity: Mapping[str, float] = field(default_factory=dict)  # [rad/s]
    omitted: tuple[str, ...] = ()
    imu: str = ''  # site
    wrench: str = ''  # link whose joint to its parent is measured
    camera: str = ''
    image: tuple[int, int] = (64, 64)  # height, width
    height: float = 0.0  # of a floating base when it is set down [m]

    def describe(self) -> Description:
        """Return the robot's description."""
        return read(
            self.model(),
            self.name,
            zero=self.zero,
            velocity=self.velocity,
            omitted=self.omitted,
        )


def _knees() -> dict[str, float]:
    """Return the motor and knee angles [rad] at which Minitaur is set down, legs closed."""
    theta = np.full(8, START_ANGLE)
    angles = dict(zip(leg.MOTOR_JOINTS, theta.tolist(), strict=True))
    knees = leg.knee_angles(theta).tolist()
    names = [name.replace('motor', 'knee') for name in leg.MOTOR_JOINTS]
    return angles | dict(zip(names, knees, strict=True))


def _load(path: Path) -> Any:
    return mujoco.MjModel.from_xml_path(str(path))


SETUPS: dict[str, GazeboSetup] = {
    'dclaw': GazeboSetup(
        name='dclaw',
        model=lambda: _load(directory('dclaw') / 'dclaw.xml'),
        controllers=(
            Controller('position_controller', 'position', dclaw.JOINTS),
            Controller('valve_controller', 'effort', (dclaw.VALVE,)),
        ),
        rate=200,
        initial=dict(zip(dclaw.JOINTS, dclaw.REST_POSE.tolist(), strict=True)),
        velocity=dict.fromkeys(dclaw.JOINTS, NO_LOAD_SPEED),
        camera='top',
    ),
    'minitaur': GazeboSetup(
        name='minitaur',
        model=lambda: load_model(Terrain(), 0.001),
        controllers=(Controller('effort_controller', 'effort', leg.MOTOR_JOINTS),),
        rate=500,
        zero=_knees(),
        velocity=dict.fromkeys(
            leg.MOTOR_JOINTS, MotorModel.supply_voltage / MotorModel.torque_constant
        ),
        imu='imu_link',
        height=CLEARANCE - float(leg.feet(np.full(8, START_ANGLE))[:, 2].min()),
    ),
    'sawyer': GazeboSetup(
        name='sawyer',
        model=lambda: _load(directory('sawyer') / 'sawyer_stack.xml'),
        controllers=(Controller('effort_controller', 'effort', sawyer.JOINT_NAMES),),
        rate=500,
        initial=dict(zip(sawyer.JOINT_NAMES, sawyer.START.tolist(), strict=True)),
        velocity=dict(zip(sawyer.JOINT_NAMES, sawyer.VELOCITY_LIMIT.tolist(), strict=True)),
        omitted=('rib_',),  # soft contacts; Gazebo's are hard and would wedge
        wrench='held_brick',
    ),
}


def find(name: str) -> GazeboSetup:
    """Return the setup of a robot.

    Raises:
        ValueError: There is none.
    """
    if name not in SETUPS:
        raise ValueError(f'no description of {name!r}; there are {sorted(SETUPS)}')
    return SETUPS[name]
