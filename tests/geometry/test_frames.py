"""Boxes from the original photo to the crop and back."""

import numpy as np
import pytest

from bas_tf.geometry import frames
from bas_tf.geometry.frames import CropFrame


def test_to_the_crop_by_hand():
    frame = CropFrame((512, 128), (256, 256), (224, 224))
    # x halves, y doubles, then 16 is taken off: (100, 20, 300, 90) ->
    # (50, 40, 150, 180) -> (34, 24, 134, 164)
    crop = frame.original_to_crop([[100, 20, 300, 90]])
    np.testing.assert_array_equal(crop, [[34, 24, 134, 164]])


def test_a_box_around_everything_is_clipped_to_the_crop():
    frame = CropFrame((391, 334), (256, 256), (224, 224))
    np.testing.assert_allclose(
        frame.original_to_crop([[0, 0, 391, 334]]), [[0, 0, 224, 224]]
    )


def test_a_box_in_the_cut_margin_comes_out_inverted():
    frame = CropFrame((256, 256), (256, 256), (224, 224))
    crop = frame.original_to_crop([[0, 0, 10, 10], [250, 250, 256, 256]])
    np.testing.assert_array_equal(crop, [[0, 0, -6, -6], [234, 234, 224, 224]])


def test_an_odd_margin_is_smaller_on_the_top_left():
    frame = CropFrame((10, 10), (9, 8), (4, 3))
    assert frame.crop_offset_xy == (2, 2)  # of margins 5 and 5


@pytest.mark.parametrize("crop_size_wh", [(224, 224), (256, 256), (160, 96)])
def test_back_and_forth_is_the_identity_inside_the_crop(rng, crop_size_wh):
    frame = CropFrame((333, 517), (256, 256), crop_size_wh)
    low = rng.uniform(0, 40, [20, 2])
    boxes = np.concatenate([low, low + rng.uniform(1, 50, [20, 2])], axis=1)
    there = frame.original_to_crop(frame.crop_to_original(boxes))
    np.testing.assert_allclose(there, boxes, atol=1e-9)


def test_without_a_crop_the_frame_is_the_whole_photo():
    frame = CropFrame((500, 300), (224, 224), (224, 224))
    back = frame.crop_to_original([[0, 0, 224, 224], [-5, 112, 230, 224]])
    np.testing.assert_allclose(back, [[0, 0, 500, 300], [0, 150, 500, 300]])


def test_a_mask_goes_through_the_same_frame_as_its_box():
    frame = CropFrame((512, 128), (256, 256), (224, 224))
    mask = np.zeros([128, 512], np.uint8)
    mask[20:90, 100:300] = 255
    crop = frame.mask_to_crop(mask)
    assert crop.shape == (224, 224)
    expected = np.zeros([224, 224], np.uint8)
    expected[24:164, 34:134] = 255  # the box of the first test
    np.testing.assert_array_equal(crop, expected)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (((10, 10), (20, 20), (21, 20)), "must fit"),
        (((0, 10), (20, 20), (20, 20)), "at least 1"),
    ],
)
def test_impossible_frames_are_errors(sizes, message):
    with pytest.raises(ValueError, match=message):
        CropFrame(*sizes)


def test_boxes_of_a_resize_without_a_crop_are_cut_down():
    # 20 x 10 -> 7 x 25: x 7 / 20, y 25 / 10. (3, 2, 19, 9) -> (1.05, 5, 6.65, 22.5)
    found = frames.scale_and_truncate([[3, 2, 19, 9]], (20, 10), (7, 25))
    np.testing.assert_array_equal(found, [[1, 5, 6, 22]])
    assert found.dtype == np.int64


def test_cutting_down_is_exact_where_a_scale_is_not():
    # The whole width stays whole, although 224 / 55 is rounded down.
    assert int(55 * (224 / 55)) == 223
    found = frames.scale_and_truncate([[0, 0, 55, 55]], (55, 55), (224, 224))
    np.testing.assert_array_equal(found, [[0, 0, 224, 224]])


def test_a_narrow_box_may_lose_its_area_but_not_its_place():
    found = frames.scale_and_truncate([[10, 10, 11, 90]], (100, 100), (20, 20))
    np.testing.assert_array_equal(found, [[2, 2, 2, 18]])


def test_masks_keep_their_values_without_a_crop():
    mask = np.array([[0, 128], [255, 0]], np.uint8)
    np.testing.assert_array_equal(
        frames.mask_to_size(mask, (4, 2)), [[0, 0, 128, 128], [255, 255, 0, 0]]
    )
    # From 3 to 2 the pixels under the corners 0 and 1.5; centres would say 0 and 2.
    row = np.array([[10, 20, 30]], np.uint8)
    np.testing.assert_array_equal(frames.mask_to_size(row, (2, 1)), [[10, 20]])
