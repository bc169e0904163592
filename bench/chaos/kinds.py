"""The robots that the benches of robustness know."""

from __future__ import annotations

from dataclasses import dataclass

POSITION, EFFORT = 0, 2  # JointCommand.MODE_*


@dataclass(frozen=True)
class Kind:
    """One of them.

    Attributes:
        name: Of the driver's robot and of the namespace.
        config: File in config/.
        rate: Control rate [Hz].
        mode: JointCommand.MODE_* of its commands.
        joints: Commanded joints.
    """

    name: str
    config: str
    rate: float
    mode: int
    joints: tuple[str, ...]


KINDS = {
    'dclaw': Kind(
        'dclaw', 'dclaw_valve.yaml', 10.0, POSITION,
        tuple(f'{finger}{number}' for finger, numbers in
              (('FFJ', (10, 11, 12)), ('MFJ', (20, 21, 22)), ('THJ', (30, 31, 32)))
              for number in numbers),
    ),
    'minitaur': Kind(
        'minitaur', 'minitaur_walk.yaml', 50.0, POSITION,
        tuple(f'motor_{leg}_{part}' for leg in ('front_left', 'back_left', 'front_right',
              'back_right') for part in ('swing', 'extension')),
    ),
    'sawyer': Kind(
        'sawyer', 'sawyer_stack.yaml', 20.0, EFFORT, tuple(f'right_j{i}' for i in range(7))
    ),
}  # fmt: skip
