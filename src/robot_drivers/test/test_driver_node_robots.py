"""What the node promises for every robot: its life, and parameters that say what they are."""

from __future__ import annotations

import pytest

rclpy = pytest.importorskip('rclpy')

from lifecycle_msgs.msg import Transition  # noqa: E402

from robot_drivers.faults.rigs import RIGS  # noqa: E402
from robot_drivers.minitaur.link import MODE_OFF  # noqa: E402

ENABLED = {
    'dclaw': lambda rig: any(rig.do('status')['torque']),
    'minitaur': lambda rig: rig.do('status')['mode'] != MODE_OFF,
    'sawyer': lambda rig: rig.do('query')['enabled'],
}


@pytest.mark.parametrize('robot', sorted(ENABLED))
def test_life_of_every_robot_on_the_wall_clock(run, robot):
    """Limp until activated, limp and latched after an e-stop, limp when deactivated."""
    rig = RIGS[robot]('wall')
    options = {f'{robot}.{name}': value for name, value in rig.driver_options().items()}
    if robot == 'dclaw':
        options['dclaw.stale_timeout'] = 1.0  # of a busy machine
    user = run(rig, robot=robot, clock='wall', autostart='false', **options)

    def enabled(wanted: bool) -> None:
        user.until(lambda: bool(ENABLED[robot](rig)) is wanted)

    try:
        user.until(lambda: user.messages['joint_states'])
        enabled(False)
        assert not user.trigger('enable').success
        user.until(lambda: user.change(Transition.TRANSITION_ACTIVATE))
        enabled(True)
        assert user.trigger('estop').success
        enabled(False)
        user.until(lambda: user.state().startswith('estop'))
        assert 'clear_estop' in user.trigger('enable').message
        assert user.trigger('clear_estop').success
        enabled(False)
        user.until(lambda: user.trigger('enable').success)
        enabled(True)
        assert user.change(Transition.TRANSITION_DEACTIVATE)
        enabled(False)
        user.new('joint_states')
        status = user.new('/diagnostics').status[0]
        assert status.hardware_id == robot
        assert {'level', 'fault', 'states published [1/s]', 'busy'} <= {
            v.key for v in status.values
        }
        assert user.change(Transition.TRANSITION_CLEANUP)
        user.until(lambda: user.change(Transition.TRANSITION_CONFIGURE))
        user.until(lambda: user.change(Transition.TRANSITION_ACTIVATE))
        enabled(True)
    finally:
        user.close()
        rig.close()


@pytest.mark.parametrize('robot', sorted(ENABLED))
def test_every_parameter_says_what_it_is_and_what_is_admissible(robot, ros_domain_id):
    """What ``ros2 param describe`` shows: text with a full stop, and a range for every number."""
    from robot_drivers.node.robot_node import RobotNode

    context = rclpy.Context()
    rclpy.init(
        args=['--ros-args', '-p', f'robot:={robot}'], context=context, domain_id=ros_domain_id
    )
    try:
        node = RobotNode(context=context)
        names = [*node.get_parameters_by_prefix('')]
        own = [n for n in names if n.startswith((f'{robot}.', 'safety.')) or '.' not in n]
        foreign = {'use_sim_time', 'start_type_description_service', 'autostart'}
        checked = [n for n in own if n not in foreign]
        assert len(checked) > 25
        for name in checked:
            descriptor = node.describe_parameter(name)
            assert descriptor.description.endswith('.'), name
            value = node.get_parameter(name).value
            if isinstance(value, float):
                assert descriptor.floating_point_range, name
            elif isinstance(value, int) and not isinstance(value, bool):
                assert descriptor.integer_range, name
            elif not isinstance(value, (str, bool)):
                assert 'Each from' in descriptor.description, name
        node.destroy_node()
    finally:
        rclpy.shutdown(context=context)
