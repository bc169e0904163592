"""Parameters of the driver node that are the same for every robot."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class NodeConfig:
    """Which robot, where, and whose clock."""

    robot: str = field(
        default='dclaw',
        metadata={
            'doc': 'dclaw, minitaur, sawyer; the same in Gazebo: dclaw_gazebo and so on; or one '
            'of another package.'
        },
    )
    backend: str = field(
        default='sim',
        metadata={'doc': 'Emulated or real robot.', 'choices': ('sim', 'hardware')},
    )
    port: str = field(
        default='', metadata={'doc': "Serial device, host:port or URI; empty: the robot's usual."}
    )
    clock: str = field(
        default='lockstep',
        metadata={
            'doc': 'lockstep: each command lets one control period pass (sim only); wall: time '
            'passes by itself.',
            'choices': ('lockstep', 'wall'),
        },
    )
    speed: float = field(
        default=0.0,
        metadata={
            'doc': 'Lockstep: simulated seconds per second; 0: as fast as possible.',
            'range': (0.0, 1000.0),
            'live': True,
        },
    )
    connect_timeout: float = field(
        default=20.0,
        metadata={'doc': 'How long to wait for an emulated robot [s].', 'range': (0.0, 600.0)},
    )
    recover: bool = field(
        default=False,
        metadata={
            'doc': 'Simulation: enable again 1 s after a fault, as nobody stands by; never after '
            'an e-stop.',
        },
    )
    realtime_priority: int = field(
        default=10,
        metadata={
            'doc': 'Wall clock: SCHED_FIFO priority, where permitted; 0: none.',
            'range': (0, 99),
        },
    )
    camera: str = field(
        default='none',
        metadata={'doc': 'Source of image_raw.', 'choices': ('none', 'emulated', 'v4l2')},
    )
    camera_device: str = field(
        default='', metadata={'doc': 'For v4l2: /dev/video0 or its number.'}
    )

    def __post_init__(self) -> None:
        """Only an emulated robot can wait, or be enabled by nobody."""
        if self.backend == 'hardware' and self.clock == 'lockstep':
            raise ValueError("a real robot does not wait: backend 'hardware' needs clock 'wall'")
        if self.backend == 'hardware' and self.recover:
            raise ValueError(
                "a person enables a real robot after a fault: backend 'hardware' needs recover "
                'false'
            )
