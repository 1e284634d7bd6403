"""Resize as Pillow, crops by hand, one convention of the odd margin everywhere."""

import numpy as np
import pytest
from PIL import Image

from bas_tf.data import preprocess


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, [7, 10, 3]).astype(np.uint8)  # height 7, width 10


@pytest.mark.parametrize("size_wh", [(5, 3), (20, 14), (4, 30), (1, 1)])
def test_resize_is_pillows_antialiased_bilinear(image, size_wh):
    resized = preprocess.resize(image, size_wh)
    expected = Image.fromarray(image).resize(size_wh, Image.Resampling.BILINEAR)
    assert resized.dtype == np.uint8
    np.testing.assert_array_equal(resized, np.asarray(expected))


def test_halving_weighs_four_pixels_as_a_triangle_does():
    """Antialiased: a triangle of radius 2 over 0 0 0 80 0 0 0 0, halved.

    Output pixels lie at 1, 3, 5, 7; input pixel 3 at 3.5. Weights 1 - distance / 2:
    pixel 1 does not reach it (distance 2.5), pixel 3 gives 0.75 and pixel 5 0.25, of
    a sum of 0.25 + 0.75 + 0.75 + 0.25 = 2.
    """
    row = np.zeros([1, 8, 3], np.uint8)
    row[0, 3] = 80
    halved = preprocess.resize(row, (4, 1))[0, :, 0]
    assert halved.tolist() == [0, 80 * 0.75 / 2, 80 * 0.25 / 2, 0]


def test_the_wanted_size_is_left_alone(image):
    assert preprocess.resize(image, (10, 7)) is image


SIZES = [(500, 375), (375, 500), (33, 41), (256, 256), (1, 1), (2000, 3), (5, 900)]


@pytest.mark.parametrize("original_wh", SIZES)
@pytest.mark.parametrize("size_wh", [(256, 256), (48, 40)])
def test_training_resizes_as_pillow_within_one(rng, original_wh, size_wh):
    pixels = rng.integers(0, 256, [*original_wh[::-1], 3]).astype(np.uint8)
    fast = preprocess.resize_for_training(Image.fromarray(pixels), size_wh)
    assert fast.shape == (*size_wh[::-1], 3) and fast.dtype == np.uint8
    difference = np.abs(fast.astype(int) - preprocess.resize(pixels, size_wh))
    assert difference.max() <= 1


@pytest.mark.parametrize("original_wh", SIZES)
@pytest.mark.parametrize("by_pillow", [False, True])
def test_a_crop_resized_alone_is_the_crop_of_all(
    rng, monkeypatch, original_wh, by_pillow
):
    """But for the last bit of a weight, where it decides how a value is rounded."""
    if by_pillow:
        monkeypatch.setattr(preprocess, "vector_resizer", None)
    pixels = rng.integers(0, 256, [*original_wh[::-1], 3]).astype(np.uint8)
    picture = Image.fromarray(pixels)
    whole = preprocess.resize_for_training(picture, (63, 57))
    for offset in [(0, 0), (13, 17), (6, 3), (1, 16)]:
        alone = preprocess.resize_and_crop(picture, (63, 57), offset, (50, 40))
        there = preprocess.crop_at(whole, offset, (50, 40))
        difference = np.abs(alone.astype(int) - there)
        assert difference.max() <= 1
        assert difference.mean() <= 2e-3


def test_the_centre_crop_by_hand(image):
    """(10 - 5) // 2 = 2 columns to the left, (7 - 4) // 2 = 1 row above."""
    crop = preprocess.centre_crop(image, (5, 4))
    np.testing.assert_array_equal(crop, image[1:5, 2:7])


def test_random_crops_are_windows_and_every_window_comes(image):
    rng = np.random.default_rng(0)
    windows = {}
    for y in range(7 - 5 + 1):
        for x in range(10 - 8 + 1):
            window = image[y : y + 5, x : x + 8]
            windows[window.tobytes()] = (y, x, "as it is")
            windows[window[:, ::-1].tobytes()] = (y, x, "mirrored")
    assert len(windows) == 2 * 3 * 3

    def draw():
        offset, mirrored = preprocess.random_offset_and_flip((10, 7), (8, 5), rng)
        crop = preprocess.crop_at(image, offset, (8, 5))
        return crop[:, ::-1] if mirrored else crop

    seen = [windows[draw().tobytes()] for _ in range(300)]
    assert set(seen) == set(windows.values())
    mirrored = np.mean([kind == "mirrored" for *_, kind in seen])
    assert abs(mirrored - 0.5) < 0.1  # three standard deviations are 0.087


def test_ten_crops_by_hand(image):
    crops = preprocess.ten_crops(image, (6, 5))
    expected = [
        image[:5, :6], image[:5, 4:], image[2:, :6], image[2:, 4:], image[1:6, 2:8],
    ]  # fmt: skip
    assert crops.shape == (10, 5, 6, 3) and crops.dtype == np.uint8
    np.testing.assert_array_equal(crops[:5], expected)
    np.testing.assert_array_equal(crops[5:], crops[:5, :, ::-1])


def test_ten_crops_of_the_whole_image(image):
    crops = preprocess.ten_crops(image, (10, 7))
    np.testing.assert_array_equal(crops[:5], [image] * 5)
