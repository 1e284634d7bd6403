"""Thresholds and centred boxes chosen over a grid."""

import dataclasses

import numpy as np
import pytest

from bas_tf.errors import UserError
from bas_tf.evaluators import sweeps
from bas_tf.evaluators.ground_truth import GroundTruth
from bas_tf.evaluators.predictions import Predictions

CROP = 40


def two_level_map(inner: float, outer: float, halo: float) -> np.ndarray:
    """Levels of an inner square 10..20, an outer one 5..30 and the rest; 1 once."""
    score_map = np.full([CROP, CROP], halo, np.float32)
    score_map[5:30, 5:30] = outer
    score_map[10:20, 10:20] = inner
    score_map[15, 15], score_map[0, 0] = 1.0, 0.0
    return score_map


def make_case(maps, true_boxes, class_ids=None, labels=None):
    """Predictions and truth of images that all have one true box."""
    count = len(maps)
    predictions = Predictions(
        labels=np.array(labels or [0] * count),
        class_ids=np.array(class_ids or [[0, 1]] * count),
        scores=np.ones(count, np.float32),
        maps=np.stack(maps),
        boxes=np.zeros([count, 4], np.float32),
        degenerate=np.zeros(count, bool),
        cams=np.stack(maps),
        map_class="label",
    )
    truth = GroundTruth(
        images=np.arange(count),
        boxes=[np.array([box], np.float64) for box in true_boxes],
        resize_size_wh=(CROP, CROP),
        crop_size_wh=(CROP, CROP),
    )
    return predictions, truth


def test_best_threshold_parts_the_object_from_its_surroundings():
    # The inner square is alone above t for 0.3 <= t < 0.8: the first is 0.30.
    score_map = two_level_map(inner=0.8, outer=0.3, halo=0.1)
    predictions, truth = make_case([score_map], [[10, 10, 20, 20]])
    assert sweeps.best_threshold(predictions, truth) == pytest.approx(0.30, abs=1e-9)


def test_of_equally_right_thresholds_the_tightest_box_decides():
    # With the extra pixel the true box has 32 x 32. The whole crop (t < 0.12) is right
    # with IoU 1024 / 41^2 = 0.61, the outer square with 26^2 / 1024 = 0.66.
    score_map = two_level_map(inner=0.8, outer=0.31, halo=0.11)
    predictions, truth = make_case([score_map], [[5, 5, 36, 36]])
    ious = sweeps.threshold_ious(predictions.maps, truth)[0]
    np.testing.assert_allclose(ious[[0, 6]], [1024 / 41**2, 26**2 / 1024])
    assert sweeps.best_threshold(predictions, truth) == pytest.approx(0.12)


def test_a_threshold_without_true_boxes_is_an_error():
    predictions, _ = make_case([np.zeros([4, 4], np.float32)], [[0, 0, 1, 1]])
    empty = GroundTruth(np.empty(0, int), [], (CROP, CROP), (CROP, CROP))
    with pytest.raises(UserError, match="none: keep the fixed threshold"):
        sweeps.best_threshold(predictions, empty)


def test_cam_gets_every_figure_at_its_own_best_threshold():
    # Image 0 needs t < 0.31 (the outer square), image 1 needs t >= 0.5 (the inner
    # one): no threshold is right for both. Only image 1 has its class first.
    maps = [
        two_level_map(inner=0.8, outer=0.31, halo=0.11),
        two_level_map(inner=0.8, outer=0.5, halo=0.11),
    ]
    predictions, truth = make_case(
        maps,
        [[5, 5, 30, 30], [10, 10, 20, 20]],
        class_ids=[[1, 0], [0, 1]],
        labels=[0, 0],
    )
    baseline = sweeps.cam_baseline(predictions, truth)
    # mean_iou at t < 0.31: 1 and 11 x 11 / 26 x 26; at t >= 0.5 the same swapped.
    mean_iou = (1 + 121 / 676) / 2
    values = {name: figure.value for name, figure in baseline.figures.items()}
    assert values == {
        "gt_known_loc": 0.5,
        "gt_known_loc@0.3": 0.5,
        "gt_known_loc@0.7": 0.5,
        "top1_loc": 0.5,  # only where image 1 is right
        "top5_loc": 0.5,
        "mean_iou": pytest.approx(mean_iou),
    }
    assert baseline.best == {"score_threshold": pytest.approx(0.12)}
    # Both are right from 0.12 and from 0.50 on: the first is reported.
    chosen = {name: f.score_thresholds for name, f in baseline.figures.items()}
    assert chosen["gt_known_loc"] == [pytest.approx(0.12)]
    assert chosen["top1_loc"] == [0.5]
    # Draws of one image twice have a threshold that is right for both.
    assert baseline.figures["gt_known_loc"].interval_95 == (0.5, 1.0)
    assert baseline.figures["top1_loc"].interval_95 == (0.0, 1.0)
    assert baseline.figures["mean_iou"].interval_95 == pytest.approx((mean_iou, 1.0))
    for figure in baseline.figures.values():
        assert (figure.threshold_origin, figure.num_images) == ("oracle", 2)


def test_centre_box_finds_the_size_that_fits():
    # Centred squares of 20 in a crop of 40: fraction 0.5.
    zeros = [np.zeros([4, 4], np.float32)] * 2
    predictions, truth = make_case(zeros, [[10, 10, 30, 30], [10, 10, 30, 30]])
    baseline = sweeps.centre_box_baseline(predictions, truth)
    for name in ("gt_known_loc", "mean_iou"):
        assert baseline.figures[name].value == 1.0
        assert baseline.figures[name].interval_95 == (1.0, 1.0)
        assert baseline.figures[name].threshold_origin == "oracle"
    assert baseline.best == {"width_fraction": 0.5, "height_fraction": 0.5}


def test_centre_box_tells_width_from_height():
    zeros = [np.zeros([4, 4], np.float32)]
    predictions, truth = make_case(zeros, [[4, 16, 36, 24]])
    best = sweeps.centre_box_baseline(predictions, truth).best
    assert best["width_fraction"] == pytest.approx(0.8)
    assert best["height_fraction"] == pytest.approx(0.2)


def test_threshold_ious_reads_only_images_with_boxes():
    maps = [np.full([4, 4], np.nan, np.float32), np.eye(4, dtype=np.float32)]
    predictions, truth = make_case(maps, [[0, 0, 1, 1]] * 2)
    truth = dataclasses.replace(truth, images=np.array([1]), boxes=truth.boxes[:1])
    assert sweeps.threshold_ious(predictions.maps, truth).shape == (1, 50)
