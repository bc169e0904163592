"""Camera images to what the policy sees."""

from types import SimpleNamespace as Message

import cv2
import numpy as np
import pytest

from sac_agent.errors import SensorError
from sac_agent.observation.image import decode, resize


@pytest.fixture
def rgb():
    return np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def message(pixels, encoding, padding=0):
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=99)
    return Message(
        height=height, width=width, encoding=encoding, step=rows.shape[1], data=rows.tobytes()
    )


@pytest.mark.parametrize('padding', [0, 5])
def test_every_encoding_becomes_rgb(rgb, padding):
    alpha = np.full((6, 8, 1), 7, np.uint8)
    for encoding, pixels in {
        'rgb8': rgb,
        'bgr8': rgb[:, :, ::-1],
        'rgba8': np.concatenate([rgb, alpha], axis=2),
        'bgra8': np.concatenate([rgb[:, :, ::-1], alpha], axis=2),
    }.items():
        np.testing.assert_array_equal(decode(message(pixels, encoding, padding)), rgb)


def test_grey_images_get_three_equal_channels(rgb):
    grey = decode(message(rgb[:, :, 0], 'mono8'))
    np.testing.assert_array_equal(grey, np.repeat(rgb[:, :, :1], 3, axis=2))


def test_compressed_images_are_decoded(rgb):
    data = cv2.imencode('.png', rgb[:, :, ::-1])[1].tobytes()
    np.testing.assert_array_equal(decode(Message(format='png', data=data)), rgb)


@pytest.mark.parametrize(
    ('changes', 'text'),
    [
        ({'encoding': 'yuv422'}, "encoding must be one of .*, got 'yuv422'"),
        ({'step': 3}, 'needs step >= 24'),
        ({'data': b'123'}, 'got step 24 and 3 bytes'),
        ({'height': 0}, 'image of 0 x 8'),
    ],
)
def test_broken_images_are_refused(rgb, changes, text):
    broken = message(rgb, 'rgb8')
    for name, value in changes.items():
        setattr(broken, name, value)
    with pytest.raises(SensorError, match=text):
        decode(broken)


@pytest.mark.parametrize('data', [b'', b'no image'])
def test_broken_compressed_images_are_refused(data):
    with pytest.raises(SensorError, match="'jpeg' cannot be decoded"):
        decode(Message(format='jpeg', data=data))


def test_the_centre_is_cropped_and_averaged():
    image = np.zeros((64, 128, 3), np.uint8)
    image[:, 32:96] = 200
    assert (resize(image, 32) == 200).all()
    checked = np.indices((64, 64)).sum(axis=0) % 2 * 200
    assert (resize(np.repeat(checked[:, :, None], 3, 2).astype(np.uint8), 32) == 100).all()


def test_a_crop_is_given_in_fractions():
    image = np.zeros((100, 200, 3), np.uint8)
    image[50:, 100:] = 250
    assert (resize(image, 32, (0.5, 0.5, 0.5, 0.5)) == 250).all()


def test_an_image_of_the_right_size_is_left_alone():
    image = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resize(image, 32), image)
