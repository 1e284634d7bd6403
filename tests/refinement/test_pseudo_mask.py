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
    """Of two equal squares one has a box; half the size of a photo that is cut."""
    photo = np.repeat(np.repeat(photos[0], 4, axis=0), 4, axis=1)
    photo[80:240, 300:380] = photo[80:240, 120:200]
    box, bright = np.array([120, 80, 280, 240]), photo.max(axis=2) > 128
    masked = {}
    for name, score_map in (
        ("map", map_of(photos[0])),
        ("elsewhere", np.roll(map_of(photos[0]), 12, axis=1)),
    ):
        mask = pseudo_mask.corrected_mask(
            photo, score_map, box[np.newaxis], score_threshold=0.4
        )
        assert mask.shape < photo.shape[:2]
        masked[name] = cv2.resize(mask, photo.shape[1::-1], interpolation=0)
    expected = np.zeros_like(bright)
    expected[80:240, 120:280] = bright[80:240, 120:280]
    for mask in masked.values():  # by the map, and by the box where the map is wrong
        assert set(np.unique(mask)) == {0, 255}
        assert np.mean((mask == 255) != expected) < 0.01
    too_large = np.array([[40, 20, 290, 340]])
    unsure = pseudo_mask.corrected_mask(
        photo, map_of(photos[0]), too_large, score_threshold=0.4
    )
    unsure = cv2.resize(unsure, photo.shape[1::-1], interpolation=0)
    assert (unsure[24:336, 44:286] == 128).all()
    unsure[16:344, 36:294] = 0
    assert not unsure.any()
