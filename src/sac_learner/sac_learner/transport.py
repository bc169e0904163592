"""How the middleware cuts the weights into pieces; to be settled before ROS starts."""

from collections.abc import MutableMapping

TRANSPORTS = 'FASTDDS_BUILTIN_TRANSPORTS'
PROFILES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
SMALL = 'UDPv4?max_msg_size=1400B'


def use_small_datagrams(environment: MutableMapping[str, str]) -> None:
    """Let Fast DDS send datagrams that fit into one Ethernet frame, unless a person decided.

    It sends up to 64 KB at once, which IP cuts into 45 frames; where one in twenty frames is lost,
    one in ten such datagrams arrives, and weights of 350 KB never do. Datagrams of one frame are
    repeated one by one, so weights take milliseconds longer instead. Shared memory is left out: with
    pieces as small as this it lost the specs of agents.

    Args:
        environment: Of this process, changed; os.environ.
    """
    if not any(environment.get(name) for name in (TRANSPORTS, *PROFILES)):
        environment[TRANSPORTS] = SMALL
