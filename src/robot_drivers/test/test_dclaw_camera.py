"""Pictures come from the emulated scene, or say why they do not."""

import numpy as np
import pytest

from robot_drivers.dclaw.camera import create_camera, EmulatedCamera, parse_request, square_crop
from robot_drivers.dclaw.config import DclawConfig
from robot_drivers.errors import ConnectionFailedError
from robot_drivers.robot import Connection


def test_picture_has_the_asked_size_and_follows_the_scene(lockstep_hand):
    camera = EmulatedCamera(f'{lockstep_hand.port}.camera', 'top', 48, 64)
    camera.start()
    before = camera.capture()
    assert before.shape == (48, 64, 3)
    lockstep_hand.ask('push valve_joint 1.0')
    assert (camera.capture() != before).mean() > 0.05
    camera.close()
    camera.close()


def test_unknown_camera_is_refused_with_the_known_ones(lockstep_hand):
    camera = EmulatedCamera(f'{lockstep_hand.port}.camera', 'side', 32, 32)
    with pytest.raises(ConnectionFailedError, match="no camera 'side'; the model has"):
        camera.start()


@pytest.mark.parametrize(
    'line', [b'', b'top', b'top -1 5', b'top 9999 9', b'top 0 5', b'\xff a b']
)
def test_malformed_request_is_refused(line):
    with pytest.raises(ValueError):  # noqa: PT011
        parse_request(line)


def test_middle_of_a_video_picture_is_kept():
    frame = np.zeros((480, 640, 3), np.uint8)
    frame[:, 80:560] = 200
    assert (square_crop(frame, 32, 32) == 200).all()


def test_emulated_pictures_need_an_emulated_robot():
    with pytest.raises(ValueError, match="with backend 'hardware'"):
        create_camera(DclawConfig(), Connection('x', 'hardware', 'wall', 'emulated'))
    assert create_camera(DclawConfig(), Connection('x')) is None
