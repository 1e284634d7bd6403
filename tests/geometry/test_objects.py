"""All objects of a map: components, necks, shares, and their order."""

import numpy as np

from bas_tf.geometry import components, objects
from tests.geometry.hard_maps import hard_maps

SIZE = (64, 64)


def disc(x, y, radius):
    rows, columns = np.mgrid[:64, :64] + 0.5
    return np.hypot(columns - x, rows - y) < radius


def boxes_of(mask):
    return objects.boxes_of_labels(objects.label_objects(mask))


def test_components_come_largest_first_and_small_ones_are_left_out():
    mask = np.zeros([64, 64], bool)
    mask[2:12, 2:12] = mask[20:40, 20:40] = mask[50:55, 2:17] = True
    mask[60, 60] = True  # 1 of 400 pixels
    boxes, scores = boxes_of(mask)
    assert boxes.tolist() == [[20, 20, 40, 40], [2, 2, 12, 12]]  # 75 / 400 < MIN_SHARE
    np.testing.assert_allclose(scores, [1, 100 / 400])


def test_touching_discs_are_two_objects_and_a_wide_neck_is_none():
    touching = disc(20, 32, 12) | disc(42, 32, 12)  # 22 apart: they share a lens
    boxes, _ = boxes_of(touching)
    assert sorted(boxes.tolist()) == [[8, 20, 31, 44], [31, 20, 54, 44]]
    merged = disc(26, 32, 12) | disc(38, 32, 12)
    assert boxes_of(merged)[0].tolist() == [[14, 20, 50, 44]]


def test_a_large_mask_is_cut_where_its_small_copy_is():
    small = disc(20, 32, 12) | disc(42, 32, 12)
    boxes, _ = boxes_of(np.kron(small, np.ones([16, 16], bool)))
    np.testing.assert_allclose(boxes, 16 * boxes_of(small)[0], atol=32)


def test_an_object_whose_box_is_a_larger_ones_is_left_out(monkeypatch):
    monkeypatch.setattr(objects, "NECK", 0.0)  # nothing is cut
    frame = np.zeros([64, 64], bool)
    frame[4:60, 4:60] = True
    frame[8:56, 8:56] = False
    frame[12:52, 12:52] = np.eye(40) + np.eye(40)[::-1]  # 80 of 832 pixels
    monkeypatch.setattr(objects, "MIN_SHARE", 0.05)
    assert boxes_of(frame)[0].tolist() == [[4, 4, 60, 60]]  # 40 ** 2 / 56 ** 2 > 0.5


def test_the_first_box_is_the_one_of_the_largest_component(monkeypatch):
    monkeypatch.setattr(objects, "NECK", 0.0)  # nothing is cut
    for score_map in hard_maps(64).values():
        options = {"crop_size_wh": SIZE, "score_threshold": 0.5}
        box, degenerate = components.box_from_map(score_map, **options)
        boxes, scores = objects.objects_from_map(score_map, **options)
        np.testing.assert_array_equal(boxes[0], box)
        assert scores[0] == (0 if degenerate else 1)
