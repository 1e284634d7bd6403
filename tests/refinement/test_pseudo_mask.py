"""Masks and thresholds from photos and maps alone."""

import cv2
import numpy as np
import pytest

from bas_tf.refinement import pseudo_mask


@pytest.fixture
def photos(rng):
    """Bright squares on dark noise, each elsewhere."""
    found = rng.integers(20, 60, [6, 90, 100, 3]).astype(np.uint8)
    for i, photo in enumerate(found):
        photo[20 + i : 60 + i, 30 + 2 * i : 70 + 2 * i] += 150
    return found


def map_of(photo, peak=1.0):
    """The square, blurred: 0.5 of its peak lies at the edge."""
    bright = (photo.max(axis=2) > 128).astype(np.float32)
    return peak * cv2.resize(cv2.GaussianBlur(bright, (0, 0), 6), (25, 22))


def test_the_threshold_is_where_the_map_has_the_objects_area(photos):
    maps = [map_of(photo) for photo in photos]
    threshold = pseudo_mask.threshold_without_boxes(photos, maps)
    assert abs(threshold - 0.5) < 0.06
    # Squared, the same edge is at 0.25.
    squared = [m**2 for m in maps]
    assert abs(pseudo_mask.threshold_without_boxes(photos, squared) - 0.25) < 0.06


def test_a_mask_is_the_object_or_left_out_where_map_and_colours_disagree(photos):
    photo = photos[0]
    mask = pseudo_mask.pseudo_mask(photo, map_of(photo), score_threshold=0.4)
    assert set(np.unique(mask)) == {0, 255} and mask.shape == photo.shape[:2]
    assert np.mean((mask == 255) != (photo.max(axis=2) > 128)) < 0.01
    right = map_of(photo)
    twice_as_wide = np.maximum(right, 0.65 * np.roll(right, 11, axis=1))
    for score_map in (twice_as_wide, np.full_like(right, 0.5)):
        found = pseudo_mask.pseudo_mask(photo, score_map, score_threshold=0.4)
        assert found is None


def test_a_mask_keeps_to_corrected_boxes_or_is_unsure_inside(photos):
    """Of a square and half a square next to it, the whole one has a box."""
    photo = np.repeat(np.repeat(photos[0], 4, axis=0), 4, axis=1)
    photo[80:240, 300:380] = photo[80:240, 120:200]
    right = map_of(photos[0])

    def mask_of(box, score_map=right):
        mask = pseudo_mask.corrected_mask(
            photo, score_map, np.array([box]), score_threshold=0.4
        )
        assert mask.shape < photo.shape[:2]  # of a smaller copy
        return cv2.resize(mask, photo.shape[1::-1], interpolation=cv2.INTER_NEAREST)

    square = np.zeros(photo.shape[:2], bool)
    square[80:240, 120:280] = True
    for score_map in (right, np.roll(right, 12, axis=1), np.zeros_like(right)):
        mask = mask_of([120, 80, 280, 240], score_map)
        assert set(np.unique(mask)) == {0, 255}
        assert np.mean((mask == 255) != square) < 0.01
    too_large = mask_of([40, 20, 290, 340])
    assert (too_large[24:336, 44:286] == 128).all()
    too_large[16:344, 36:294] = 0
    assert not too_large.any()
    assert (mask_of([0, 0, 400, 360]) == 128).all()
    assert mask_of([399, 359, 400, 360]).any()  # less than a pixel of the copy
