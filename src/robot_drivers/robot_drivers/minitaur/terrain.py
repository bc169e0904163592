"""Ground for the simulated Minitaur; every terrain starts with half a metre of level floor.

The robot starts at the origin and walks along +x. Sizes are ours: the paper names the terrains,
not their sizes. Boxes are added to a `mujoco.MjSpec`, so MuJoCo is needed by the caller only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
import math
from typing import Any

import numpy as np

TERRAINS = ('flat', 'slope_up', 'slope_down', 'blocks', 'stairs_down')


@dataclass(frozen=True)
class Terrain:
    """Which ground, and its sizes."""

    kind: str = field(default='flat', metadata={'doc': 'Ground.', 'choices': TERRAINS})
    friction: float = field(
        default=1.0, metadata={'doc': 'Sliding friction of feet and ground.', 'range': (0.1, 3.0)}
    )
    slope: float = field(
        default=0.1, metadata={'doc': 'Of the slopes [rad].', 'range': (0.0, 0.4)}
    )
    step_height: float = field(
        default=0.03, metadata={'doc': 'Of each stair [m].', 'range': (0.0, 0.1)}
    )
    step_depth: float = field(
        default=0.3, metadata={'doc': 'Of each stair [m].', 'range': (0.1, 1.0)}
    )
    block_mass: float = field(
        default=0.15, metadata={'doc': 'Of each wooden block [kg].', 'range': (0.01, 2.0)}
    )
    start: float = field(
        default=0.5, metadata={'doc': 'Where the terrain begins [m].', 'range': (0.3, 5.0)}
    )
    length: float = field(
        default=20.0, metadata={'doc': 'Of slopes and stairs [m].', 'range': (1.0, 100.0)}
    )

    def __post_init__(self) -> None:
        """Refuse unknown kinds and values out of range."""
        if self.kind not in TERRAINS:
            raise ValueError(f'terrain {self.kind!r} is unknown; terrains are {TERRAINS}')
        for name in (
            'friction',
            'slope',
            'step_height',
            'step_depth',
            'block_mass',
            'start',
            'length',
        ):
            low, high = self.__dataclass_fields__[name].metadata['range']
            if not low <= getattr(self, name) <= high:
                raise ValueError(f'{name} must be in [{low}, {high}], got {getattr(self, name)}')


def add_terrain(spec: Any, terrain: Terrain) -> None:
    """Add the ground to a model; mutates ``spec`` (mujoco.MjSpec) before it is compiled."""
    world = spec.worldbody
    default = spec.find_default('terrain')
    friction = [terrain.friction, 0.005, 0.0001]

    def box(
        name: str, position: list[float], half: list[float], body: Any = world, **more: Any
    ) -> Any:
        geom = body.add_geom(default, name=name, pos=position, size=half, friction=friction)
        geom.type = 6  # mjGEOM_BOX
        for key, value in more.items():
            setattr(geom, key, value)
        return geom

    def floor(height: float) -> None:
        geom = world.add_geom(default, name='floor', pos=[0, 0, height], size=[0, 0, 0.05])
        geom.type = 0  # mjGEOM_PLANE
        geom.material = 'grid'
        geom.friction = friction

    if terrain.kind == 'slope_up':
        floor(0.0)
        _slope(box, terrain, terrain.slope)
    elif terrain.kind == 'slope_down':
        floor(-terrain.length * math.sin(terrain.slope))
        box('start', [terrain.start / 2 - 2, 0, -1.0], [terrain.start / 2 + 2, 4, 1.0])
        _slope(box, terrain, -terrain.slope)
    elif terrain.kind == 'stairs_down':
        count = int(terrain.length / terrain.step_depth)
        floor(-count * terrain.step_height)
        box('start', [terrain.start / 2 - 2, 0, -1.0], [terrain.start / 2 + 2, 4, 1.0])
        for i in range(1, count):
            top = -i * terrain.step_height
            centre = terrain.start + (i - 0.5) * terrain.step_depth
            box(f'stair_{i}', [centre, 0, top - 0.5], [terrain.step_depth / 2, 4, 0.5])
    else:
        floor(0.0)
    if terrain.kind == 'blocks':
        _blocks(box, world, terrain)


def _slope(box: Any, terrain: Terrain, slope: float) -> None:
    """Add a tilted slab whose top begins at (start, 0); positive slopes rise."""
    half = [terrain.length / 2, 4.0, 0.5]
    centre = np.array([terrain.length / 2, -0.5])  # of the slab before the tilt, x and z
    c, s = math.cos(slope), math.sin(slope)
    position = [terrain.start + c * centre[0] - s * centre[1], 0, s * centre[0] + c * centre[1]]
    box('slope', position, half, quat=[math.cos(slope / 2), 0, -math.sin(slope / 2), 0])


def _blocks(box: Any, world: Any, terrain: Terrain) -> None:
    """Add three loose walls of wooden blocks across the way; the same every time."""
    half = [0.03, 0.10, 0.03]
    for row in range(3):
        x = terrain.start + 0.5 + 1.0 * row
        for column in range(3):
            y = (column - 1) * 0.21 + 0.03 * (row - 1)
            name = f'block_{row}_{column}'
            body = world.add_body(name=name, pos=[x, y, half[2]])
            body.add_freejoint(name=name)
            box(name, [0, 0, 0], half, body, mass=terrain.block_mass, rgba=[0.80, 0.62, 0.38, 1])
