"""Camera images to what the policy sees: crop, INTER_AREA, RGB."""

from collections import deque
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sac_agent.errors import SensorError

Image = npt.NDArray[np.uint8]

_CHANNELS = {'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4, 'mono8': 1}


def decode(message: Any) -> Image:
    """Return the image of a sensor_msgs Image or CompressedImage, (height, width, 3) RGB.

    Raises:
        SensorError: The encoding is not supported, or the data do not fit the size.
    """
    if hasattr(message, 'format'):
        return _decompress(message)
    encoding = message.encoding.lower()
    if encoding not in _CHANNELS:
        raise SensorError(
            f'image encoding must be one of {", ".join(_CHANNELS)}, got {message.encoding!r}'
        )
    channels = _CHANNELS[encoding]
    height, width, step = int(message.height), int(message.width), int(message.step)
    data = np.frombuffer(message.data, dtype=np.uint8)
    if not height or not width or step < width * channels or data.size < step * height:
        raise SensorError(
            f'image of {height} x {width} {encoding} needs step >= {width * channels} and '
            f'step * height bytes, got step {step} and {data.size} bytes'
        )
    rows = data[: step * height].reshape(height, step)[:, : width * channels]
    pixels = rows.reshape(height, width, channels)
    if channels == 1:
        return np.repeat(pixels, 3, axis=2)
    return pixels[:, :, 2::-1] if encoding.startswith('bgr') else pixels[:, :, :3]


def resize(image: Image, size: int, crop: tuple[float, ...] = ()) -> Image:
    """Return a cropped image, (size, size, 3).

    Args:
        image: RGB, (height, width, 3).
        size: Height and width of the result [pixels].
        crop: Left, top, width, height as fractions; empty: the largest centred square.
    """
    height, width = image.shape[:2]
    if crop:
        left, top = round(crop[0] * width), round(crop[1] * height)
        right = max(left + 1, round((crop[0] + crop[2]) * width))
        bottom = max(top + 1, round((crop[1] + crop[3]) * height))
    else:
        side = min(height, width)
        left, top = (width - side) // 2, (height - side) // 2
        right, bottom = left + side, top + side
    part = np.ascontiguousarray(image[top:bottom, left:right])
    if part.shape[:2] == (size, size):
        return part
    return np.asarray(cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _decompress(message: Any) -> Image:
    data = np.frombuffer(message.data, dtype=np.uint8)
    pixels = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if pixels is None:
        raise SensorError(f'compressed image of format {message.format!r} cannot be decoded')
    return np.asarray(pixels[:, :, ::-1], dtype=np.uint8)


class ImageDelay:
    """Lets images be as late as the vector; the first of an episode stands for all before it."""

    def __init__(self, steps: int) -> None:
        """Delay by a number of control steps."""
        self._images: deque[Image] = deque(maxlen=steps + 1)

    def push(self, image: Image) -> Image:
        """Take the newest image; return the one that is seen now."""
        if not self._images:
            self._images.extend([image] * (self._images.maxlen or 1))
        else:
            self._images.append(image)
        return self._images[0]

    def clear(self) -> None:
        """Begin a new episode."""
        self._images.clear()
