"""The driver's side of Gazebo, on MuJoCo with controllers as those of ros2_control.

Gazebo itself is not run; what stands in for it takes the commands of the forward command
controllers and gives the joint states of their broadcaster.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
import yaml

mujoco = pytest.importorskip('mujoco')

from robot_drivers.dclaw.config import DclawConfig, JOINTS, NAMES, REST_POSE  # noqa: E402
from robot_drivers.driver import Driver  # noqa: E402
from robot_drivers.errors import (  # noqa: E402
    ConnectionFailedError,
    NotEnabledError,
    StaleStateError,
)
from robot_drivers.gazebo import DCLAW, MINITAUR, SAWYER  # noqa: E402
from robot_drivers.gazebo.arm import GazeboArm  # noqa: E402
from robot_drivers.gazebo.claw import GazeboClaw  # noqa: E402
from robot_drivers.gazebo.robot import Joints  # noqa: E402
from robot_drivers.gazebo.walker import GazeboWalker, START_ANGLE  # noqa: E402
from robot_drivers.minitaur import leg  # noqa: E402
from robot_drivers.minitaur.config import MinitaurConfig  # noqa: E402
from robot_drivers.registry import BUILT_IN, find_robot  # noqa: E402
from robot_drivers.robot import Connection, Imu, Pose  # noqa: E402
from robot_drivers.safety import SafetyConfig  # noqa: E402
from robot_drivers.sawyer.config import SawyerConfig  # noqa: E402
from robot_drivers.sawyer.description import JOINT_NAMES, LEARNING_EFFORT, START  # noqa: E402
from robot_drivers.sim.describe.main import directory  # noqa: E402
from robot_drivers.sim.describe.robots import find  # noqa: E402


class Simulated:
    """A wire to MuJoCo: effort controllers add torques, position controllers follow in 50 ms."""

    def __init__(self, robot: str, names) -> None:
        setup = find(robot)
        self.model = setup.model()
        self.model.opt.timestep = 0.002
        self.data = mujoco.MjData(self.model)
        angles = {**setup.zero, **setup.initial}
        for name, angle in angles.items():
            self.data.qpos[self.model.joint(name).qposadr[0]] = angle
        if setup.height:
            self.data.qpos[2] = setup.height
        self.controllers = {controller.name: controller for controller in setup.controllers}
        self.offset = np.array([setup.zero.get(name, 0.0) for name in names])
        joints = [self.model.joint(name) for name in names]
        self.qpos = np.array([joint.qposadr[0] for joint in joints])
        self.qvel = np.array([joint.dofadr[0] for joint in joints])
        self.commands: dict[str, np.ndarray] = {}
        self.joints = self.imu = self.wrench = self.base = self.image = None
        self.model.actuator_gainprm[:] = 0.0
        self.model.actuator_biasprm[:] = 0.0
        self.open_ = False

    def open(self) -> None:
        self.open_ = True
        self.advance(0.002)

    def close(self) -> None:
        self.open_ = False

    def send(self, controller, values) -> None:
        assert len(values) == len(self.controllers[controller].joints)
        assert np.isfinite(values).all()
        self.commands[controller] = np.array(values)

    def place(self, model, position, yaw) -> None:
        self.data.qpos[:3] = position
        self.data.qpos[3:7] = np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)
        self.data.qvel[:6] = 0.0

    def advance(self, seconds: float) -> None:
        for _ in range(round(seconds / self.model.opt.timestep)):
            self.data.qfrc_applied[:] = 0.0
            for name, values in self.commands.items():
                controller = self.controllers[name]
                for joint, value in zip(controller.joints, values, strict=True):
                    at = self.model.joint(joint)
                    dof, position = int(at.dofadr[0]), float(self.data.qpos[at.qposadr[0]])
                    if controller.interface == 'effort':
                        self.data.qfrc_applied[dof] = value
                    else:
                        self.data.qvel[dof] = (value - position) / 0.05
            mujoco.mj_step(self.model, self.data)
        self.joints = Joints(
            self.data.qpos[self.qpos] - self.offset,
            self.data.qvel[self.qvel].copy(),
            self.data.qfrc_applied[self.qvel].copy(),
            float(self.data.time),
            time.monotonic(),
        )
        if 'effort_controller' in self.controllers and len(self.offset) == 8:
            w, x, y, z = self.data.qpos[3:7]
            turn = np.array([x, y, z, w])
            self.imu = Imu(turn, self.data.qvel[3:6].copy(), np.zeros(3))
            pose = Pose(self.data.qpos[:3].copy(), turn, np.zeros(3), np.zeros(3))
            self.base = pose, time.monotonic()


def make(robot: str):
    names = {'dclaw': NAMES, 'minitaur': leg.MOTOR_JOINTS, 'sawyer': JOINT_NAMES}[robot]
    kind, config = {
        'dclaw': (GazeboClaw, DclawConfig()),
        'minitaur': (GazeboWalker, MinitaurConfig()),
        'sawyer': (GazeboArm, SawyerConfig()),
    }[robot]
    wire = Simulated(robot, names)
    driver = Driver(kind(config, wire), SafetyConfig(), 'wall', monotonic=lambda: wire.data.time)
    driver.connect()
    return driver, wire


def live(driver: Driver, wire: Simulated, seconds: float) -> None:
    """Let the node's timer and Gazebo run for a while."""
    period = 1.0 / driver.robot.spec.update_rate
    for _ in range(round(seconds / period)):
        driver.cycle()
        wire.advance(max(period, 0.002))


def reset(driver: Driver, wire: Simulated, goal, timeout: float = 20.0):
    driver.start_reset(goal, timeout)
    while True:
        _, result = driver.step_reset()
        if result is not None:
            return result
        live(driver, wire, driver.robot.spec.control_period)


@pytest.mark.parametrize('robot', ['dclaw', 'minitaur', 'sawyer'])
def test_nothing_is_sent_before_somebody_enables(robot):
    driver, wire = make(robot)
    live(driver, wire, 0.1)
    assert wire.commands == {}
    with pytest.raises(NotEnabledError):
        driver.robot.command(np.zeros(len(driver.robot.spec.joints)) + 0.1)
    driver.enable()
    assert set(wire.commands) == set(wire.controllers)


def test_claw_follows_targets_and_holds_when_nobody_commands():
    driver, wire = make('dclaw')
    driver.enable()
    for _ in range(10):
        driver.command(JOINTS, REST_POSE + 0.2, 'position', 0.0)
        live(driver, wire, 0.1)
    np.testing.assert_allclose(driver.state.position[:9], REST_POSE + 0.2, atol=0.02)
    driver.command(JOINTS, REST_POSE - 0.2, 'position', 0.0)
    live(driver, wire, 0.05)
    live(driver, wire, 0.3)
    assert driver.activity.startswith('hold')
    held = wire.commands['position_controller']
    np.testing.assert_allclose(held, driver.state.position[:9], atol=0.02)


def test_claw_turns_its_valve_in_a_reset_and_lets_go():
    driver, wire = make('dclaw')
    driver.enable()
    result = reset(driver, wire, {'valve_joint': 1.0, 'FFJ11': -0.9})
    assert result.success, result.message
    assert driver.state.position[9] == pytest.approx(1.0, abs=0.1)
    assert driver.state.position[1] == pytest.approx(-0.9, abs=0.1)
    live(driver, wire, 0.1)
    assert wire.commands['valve_controller'] == 0.0
    with pytest.raises(ValueError, match='cannot reset'):
        driver.robot.reset({'knee': 0.0}, 1.0)


def test_walker_gets_onto_its_feet_and_reports_leg_and_motor_angles():
    driver, wire = make('minitaur')
    driver.enable()
    result = reset(driver, wire, {'base_yaw': 0.2})
    assert result.success, result.message
    state = driver.state
    assert state.base.position[2] == pytest.approx(0.257, abs=0.03)
    np.testing.assert_allclose(state.position[:8], leg.leg_angles(state.position[8:]))
    theta = wire.data.qpos[wire.qpos]
    np.testing.assert_allclose(state.position[8:], theta, atol=0.1)
    assert find('minitaur').zero['motor_front_leftL_joint'] == pytest.approx(START_ANGLE)
    assert np.abs(wire.commands['effort_controller']).max() <= 3.5


def test_walker_without_commands_is_damped_then_limp():
    driver, wire = make('minitaur')
    driver.enable()
    reset(driver, wire, {})
    driver.command(leg.LEG_CHANNELS, leg.NEUTRAL, 'position', 0.0)
    live(driver, wire, 0.5)
    assert driver.activity.startswith('hold')
    driver.cycle()
    damping = wire.commands['effort_controller'] * driver.state.velocity[8:]
    assert (damping <= 1e-6).all(), 'torques only against the motion'
    driver.disable('test')
    np.testing.assert_array_equal(wire.commands['effort_controller'], np.zeros(8))


def test_arm_reaches_its_start_and_takes_protected_torques():
    driver, wire = make('sawyer')
    driver.enable()
    wanted = START + 0.1
    result = reset(driver, wire, dict(zip(JOINT_NAMES, wanted.tolist(), strict=True)))
    assert result.success, result.message
    np.testing.assert_allclose(driver.state.position, wanted, atol=0.04)
    assert driver.state.endpoint is not None
    small = 0.2 * LEARNING_EFFORT
    driver.command(JOINT_NAMES, small, 'effort', 0.0)
    np.testing.assert_allclose(wire.commands['effort_controller'], small)
    driver.command(JOINT_NAMES, 100 * small, 'effort', 0.0)
    assert (np.abs(wire.commands['effort_controller']) <= LEARNING_EFFORT).all()
    live(driver, wire, 0.3)
    assert driver.activity.startswith('hold')
    assert np.abs(wire.commands['effort_controller']).max() < 0.5


def test_reset_that_cannot_arrive_says_so():
    driver, wire = make('sawyer')
    driver.enable()
    result = reset(driver, wire, dict(zip(JOINT_NAMES, START + 0.5, strict=True)), timeout=0.2)
    assert not result.success
    assert 'start pose not reached in 0.2 s: right_j' in result.message


def test_paused_gazebo_makes_the_driver_limp(monkeypatch):
    driver, wire = make('sawyer')
    driver.enable()
    driver.command(JOINT_NAMES, 0.2 * LEARNING_EFFORT, 'effort', 0.0)
    late = time.monotonic() + 0.6
    monkeypatch.setattr(time, 'monotonic', lambda: late)
    driver.cycle()
    assert driver.activity.startswith('limp')
    assert 'Gazebo is paused, too slow or gone' in driver.fault
    np.testing.assert_array_equal(wire.commands['effort_controller'], np.zeros(7))


def test_absent_gazebo_is_named():
    robot = GazeboArm(SawyerConfig(), Simulated('sawyer', JOINT_NAMES))
    robot.wire.open = lambda: None
    robot._connect_timeout = 0.0
    with pytest.raises(ConnectionFailedError, match='no joint_states from Gazebo; start it'):
        robot.connect()
    with pytest.raises(StaleStateError):
        robot.read()


@pytest.mark.parametrize(
    ('name', 'kind'),
    [('dclaw_gazebo', DCLAW), ('minitaur_gazebo', MINITAUR), ('sawyer_gazebo', SAWYER)],
)
def test_robot_in_gazebo_is_found_and_needs_the_wall_clock(name, kind):
    assert name in BUILT_IN
    assert find_robot(name).config is kind.config
    with pytest.raises(ValueError, match='clock must be wall'):
        kind.create(kind.config(), Connection('/x', 'sim', 'lockstep'))


@pytest.mark.parametrize('name', ['dclaw', 'minitaur', 'sawyer'])
def test_driver_speaks_to_the_controllers_that_are_configured(name):
    pytest.importorskip('rclpy')
    kind = {'dclaw': DCLAW, 'minitaur': MINITAUR, 'sawyer': SAWYER}[name]
    robot = kind.create(kind.config(), Connection(kind.default_port['sim'], 'sim', 'wall'))
    content = yaml.safe_load((directory(name) / 'controllers.yaml').read_text())
    for controller in robot.wire._controllers:
        assert f'/**/{controller}' in content
    joints = [
        joint
        for controller in robot.wire._controllers
        for joint in content[f'/**/{controller}']['ros__parameters']['joints']
    ]
    assert tuple(joints) == robot.wire._names, 'one order everywhere'
