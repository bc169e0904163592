"""Off-screen camera images from MuJoCo, without a display.

Import this module before anything imports mujoco: the GL backend is chosen at that import.
"""

from __future__ import annotations

import os

os.environ.setdefault('MUJOCO_GL', 'egl')

import mujoco
import numpy as np

from robot_drivers.robot import Image


class Cameras:
    """Renders the cameras of one model; renderers are made once per image size.

    All calls must come from one thread, since a GL context belongs to a thread.
    """

    def __init__(self, model: mujoco.MjModel) -> None:
        """Open nothing yet: a run without images needs no GL."""
        self._model = model
        self._renderers: dict[tuple[int, int], mujoco.Renderer] = {}

    def render(self, data: mujoco.MjData, camera: str, height: int, width: int) -> Image:
        """Return the present view, (height, width, 3) RGB.

        Raises:
            ValueError: The model has no such camera.
        """
        names = [self._model.camera(i).name for i in range(self._model.ncam)]
        if camera not in names:
            raise ValueError(f'no camera {camera!r}; the model has {names}')
        renderer = self._renderers.get((height, width))
        if renderer is None:
            renderer = mujoco.Renderer(self._model, height, width)
            self._renderers[height, width] = renderer
        renderer.update_scene(data, camera)
        return np.asarray(renderer.render(), dtype=np.uint8)

    def close(self) -> None:
        """Free the GL contexts."""
        for renderer in self._renderers.values():
            renderer.close()
        self._renderers.clear()
