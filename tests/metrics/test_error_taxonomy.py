"""Kinds of errors: boxes by hand, a second implementation, and that nothing is lost.

Sides are counted with the extra pixel: [0, 0, 29, 29] is 30 x 30.
"""

import collections

import numpy as np
import pytest

from bas_tf.metrics import error_taxonomy, localization

TRUE = [[0, 0, 29, 29]]


def kind_of(box, true_boxes=TRUE, *, is_class_right=True, is_degenerate=False):
    return error_taxonomy.kind_of(
        np.array(box, np.float32),
        np.array(true_boxes, np.float64),
        is_class_right=is_class_right,
        is_degenerate=is_degenerate,
    )


@pytest.mark.parametrize(
    ("box", "kind"),
    [
        ([0, 0, 29, 29], "correct"),
        ([0, 0, 9, 9], "box_too_small"),  # 100 / 900, all of it inside
        ([20, 0, 33, 29], "box_too_small"),  # 10 of 14 columns inside
        ([0, 0, 59, 59], "box_too_large"),  # 900 / 3600
        ([8, 0, 70, 29], "box_too_large"),  # it covers 22 of 30 columns
        ([60, 60, 69, 69], "box_elsewhere"),
        ([15, 0, 44, 29], "box_elsewhere"),  # as large, half next to it
        # 600 / 1200 is not above 0.5, and 600 / 900 not above 2/3.
        ([10, 0, 39, 29], "box_elsewhere"),
        ([9, 0, 38, 29], "correct"),  # 630 / 1170
        ([np.nan, 0, 9, 9], "box_elsewhere"),
    ],
)
def test_boxes_by_hand(box, kind):
    assert kind_of(box) == kind
    wrong = "wrong_class" if kind == "correct" else "wrong_class_and_box"
    assert kind_of(box, is_class_right=False) == wrong


def test_a_degenerate_map_is_named_unless_the_whole_crop_is_right():
    crop = [0, 0, 64, 64]
    for is_class_right in (True, False):
        found = kind_of(crop, is_class_right=is_class_right, is_degenerate=True)
        assert found == "degenerate"
    assert kind_of(crop, [[0, 0, 60, 60]], is_degenerate=True) == "correct"


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_of_several_true_boxes_the_nearest_counts(order):
    true_boxes = np.array([[0, 0, 29, 29], [40, 40, 43, 43]])[order]
    assert kind_of([0, 0, 9, 9], true_boxes) == "box_too_small"
    assert kind_of([40, 40, 49, 49], true_boxes) == "box_too_large"


def test_a_true_box_in_the_cut_margin_cannot_be_hit():
    assert kind_of([0, 0, 9, 9], [[50, 50, 40, 40]]) == "box_elsewhere"


def drawn(box):
    pixels = np.zeros([48, 48], bool)
    pixels[box[1] : box[3] + 1, box[0] : box[2] + 1] = True
    return pixels


def slow_kind_of(box, true_boxes, is_class_right, is_degenerate):
    """Pixels are counted; the last one of each side belongs to the box."""
    found, best = drawn(box), (-1, None)
    for true_box in true_boxes:
        pixels = drawn(true_box)
        iou = (found & pixels).sum() / (found | pixels).sum()
        best = max(best, (iou, pixels), key=lambda pair: pair[0])
    iou, pixels = best
    shared = (found & pixels).sum()
    rules = [
        (iou > 0.5 and is_class_right, "correct"),
        (iou > 0.5, "wrong_class"),
        (is_degenerate, "degenerate"),
        (not is_class_right, "wrong_class_and_box"),
        (3 * shared > 2 * found.sum(), "box_too_small"),
        (3 * shared > 2 * pixels.sum(), "box_too_large"),
        (True, "box_elsewhere"),
    ]
    return next(kind for holds, kind in rules if holds)


def random_boxes(rng, count):
    corners = np.sort(rng.integers(0, 48, [count, 2, 2]), axis=1)
    return corners.reshape(count, 4)


def test_every_image_is_of_one_kind_and_the_figures_follow(rng):
    n = 500
    boxes = random_boxes(rng, n)
    true_boxes = [random_boxes(rng, rng.integers(1, 4)) for _ in range(n)]
    for i in range(0, n, 2):  # or else too few are right
        true_boxes[i][0] = np.clip(boxes[i] + rng.integers(-4, 5, 4), 0, 47)
        true_boxes[i][0, 2:] = np.maximum(true_boxes[i][0, 2:], true_boxes[i][0, :2])
    is_class_right, is_degenerate = rng.random(n) < 0.7, rng.random(n) < 0.1
    kinds = error_taxonomy.kinds_of(
        boxes, true_boxes, is_class_right=is_class_right, is_degenerate=is_degenerate
    )
    slow = map(slow_kind_of, boxes, true_boxes, is_class_right, is_degenerate)
    assert kinds == list(slow)
    counts = collections.Counter(kinds)
    assert len(counts) == 7  # each occurs
    assert sum(counts.values()) == n
    ious = np.array(
        [
            localization.best_ious(box, true)[0]
            for box, true in zip(boxes, true_boxes, strict=True)
        ]
    )
    ids = np.where(is_class_right, 0, 1)[:, np.newaxis]
    values = localization.localization_values(ious, ids, np.zeros(n, int))
    assert counts["correct"] == values["top1_loc"].sum()
    right = counts["correct"] + counts["wrong_class"]
    assert right == values["gt_known_loc"].sum()
