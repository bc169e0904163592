r"""Images of the hand: from the emulated scene, or from a camera of the operating system.

Request to the emulator: ``NAME HEIGHT WIDTH\n``. Answer: a header of 24 bytes (``DCAM``, error
text length, height, width as uint32, time of the scene [s] as float64), then the error text in
UTF-8 or height * width * 3 bytes of RGB. Little-endian.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
import socket
from struct import Struct
import threading
from typing import Any

import numpy as np

from robot_drivers.dclaw.config import DclawConfig
from robot_drivers.errors import ConnectionFailedError, StaleStateError
from robot_drivers.robot import Connection, Image

HEADER = Struct('<4sIIId')
MAGIC = b'DCAM'
START_TIMEOUT = 5.0  # [s] the first image compiles shaders
TIMEOUT = 0.5  # [s]


def parse_request(line: bytes) -> tuple[str, int, int]:
    """Return camera, height and width of a request.

    Raises:
        ValueError: It is malformed or asks for an image that is too large.
    """
    words = line.decode(errors='replace').split()
    if len(words) != 3 or not (words[1].isdigit() and words[2].isdigit()):
        raise ValueError(f'expected NAME HEIGHT WIDTH, got {line!r}')
    height, width = int(words[1]), int(words[2])
    if not (1 <= height <= 480 and 1 <= width <= 640):
        raise ValueError(f'images have 1..480 x 1..640 pixels, got {height} x {width}')
    return words[0], height, width


def encode_image(image: Image | None, time: float, error: str = '') -> bytes:
    """Return the answer to a request."""
    text = error.encode()
    height, width = (0, 0) if image is None else image.shape[:2]
    body = b'' if image is None else image.tobytes()
    return HEADER.pack(MAGIC, len(text), height, width, time) + text + body


class Camera(ABC):
    """Something that takes pictures."""

    @abstractmethod
    def start(self) -> None:
        """Open it.

        Raises:
            ConnectionFailedError: It is not there.
        """

    @abstractmethod
    def capture(self) -> Image | None:
        """Return the newest picture, (H, W, 3) RGB, or None if there is no new one.

        Raises:
            StaleStateError: The camera is gone.
        """

    @abstractmethod
    def close(self) -> None:
        """Close it; may be called at any time, also twice."""


class EmulatedCamera(Camera):
    """A camera of the emulated scene, over a local socket."""

    def __init__(self, path: str, name: str, height: int, width: int) -> None:
        """Remember what to ask for."""
        self._path = path
        self._request = f'{name} {height} {width}\n'.encode()
        self._socket: socket.socket | None = None

    def start(self) -> None:
        """Connect and take one picture, which is slow, to have that over."""
        self.close()
        try:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(START_TIMEOUT)
            self._socket.connect(self._path)
            self.capture()
            self._socket.settimeout(TIMEOUT)
        except (OSError, StaleStateError) as error:
            self.close()
            raise ConnectionFailedError(
                f'no images from {self._path}: {error}; is the emulator running?'
            ) from error

    def capture(self) -> Image:
        """Return the scene as it is now."""
        if self._socket is None:
            raise StaleStateError(f'camera {self._path} is not connected')
        try:
            self._socket.sendall(self._request)
            magic, text, height, width, _ = HEADER.unpack(self._receive(HEADER.size))
            if magic != MAGIC:
                raise StaleStateError(f'{self._path} is no camera, it answers {magic!r}')
            if text:
                raise StaleStateError(self._receive(text).decode(errors='replace'))
            pixels = np.frombuffer(self._receive(height * width * 3), np.uint8)
        except OSError as error:
            self.close()
            raise StaleStateError(f'no image from {self._path}: {error}') from error
        return pixels.reshape(height, width, 3)

    def close(self) -> None:
        """Disconnect."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _receive(self, size: int) -> bytes:
        assert self._socket is not None
        data = bytearray()
        while len(data) < size:
            chunk = self._socket.recv(size - len(data))
            if not chunk:
                raise ConnectionError('the emulator ended')
            data += chunk
        return bytes(data)


class VideoCamera(Camera):
    """A camera of the operating system (V4L2), cropped to the middle and scaled.

    A thread takes the pictures, so that no bus cycle waits for the next one.
    """

    def __init__(self, device: str, height: int, width: int) -> None:
        """Remember the device, a path such as /dev/video0 or a number."""
        self._device = device
        self._size = (height, width)
        self._thread: threading.Thread | None = None
        self._running = False
        self._newest: Image | None = None

    def start(self) -> None:
        """Open the device and begin to take pictures."""
        import cv2

        self.close()
        device = int(self._device) if self._device.isdigit() else self._device
        video = cv2.VideoCapture(device, cv2.CAP_V4L2)
        if not video.isOpened():
            raise ConnectionFailedError(
                f'cannot open camera {self._device!r}; check camera_device and ls /dev/video*'
            )
        video.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # old pictures are of no use
        self._running = True
        self._thread = threading.Thread(target=self._grab, args=(video,), daemon=True)
        self._thread.start()

    def capture(self) -> Image | None:
        """Return the newest picture once, then None until there is another."""
        if self._thread is None or not self._thread.is_alive():
            raise StaleStateError(f'camera {self._device!r} gives no picture; is it plugged in?')
        picture, self._newest = self._newest, None
        return picture

    def close(self) -> None:
        """Stop the thread, which releases the device."""
        self._running = False
        if self._thread is not None:
            self._thread.join(timeout=2.0)
            self._thread = None

    def _grab(self, video: Any) -> None:
        while self._running:
            good, frame = video.read()
            if not good:
                break
            self._newest = square_crop(frame[:, :, ::-1], *self._size)
        video.release()


def square_crop(frame: Image, height: int, width: int) -> Image:
    """Cut the middle of a picture to the shape of the wanted one and scale it.

    INTER_AREA, since every other way to shrink shows artefacts.
    """
    import cv2

    rows, columns = frame.shape[:2]
    scale = min(rows / height, columns / width)
    tall, wide = int(height * scale), int(width * scale)
    top, left = (rows - tall) // 2, (columns - wide) // 2
    crop = np.ascontiguousarray(frame[top : top + tall, left : left + wide])
    return np.asarray(cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def create_camera(config: DclawConfig, connection: Connection) -> Camera | None:
    """Return the camera that the parameters ask for, not opened.

    Raises:
        ValueError: There is no such kind of camera, or not with this backend.
    """
    height, width = config.image_height, config.image_width
    if connection.camera == 'none':
        return None
    if connection.camera == 'emulated' and connection.backend == 'sim':
        return EmulatedCamera(f'{connection.port}.camera', config.camera_name, height, width)
    if connection.camera == 'v4l2':
        return VideoCamera(connection.camera_device or '0', height, width)
    raise ValueError(
        f"camera must be 'none', 'v4l2' or, with backend sim, 'emulated'; got "
        f'{connection.camera!r} with backend {connection.backend!r}'
    )
