"""Names of the robot's topics, as its own realtime loop announces them."""

JOINT_STATES = '/robot/joint_states'
ROBOT_STATE = '/robot/state'
ENDPOINT_STATE = '/robot/limb/right/endpoint_state'
JOINT_COMMAND = '/robot/limb/right/joint_command'
JOINT_COMMAND_TIMEOUT = '/robot/limb/right/joint_command_timeout'
SPEED_RATIO = '/robot/limb/right/set_speed_ratio'
STATE_RATE = '/robot/joint_state_publish_rate'
ENABLE = '/robot/set_super_enable'
RESET = '/robot/set_super_reset'
STOP = '/robot/set_super_stop'
