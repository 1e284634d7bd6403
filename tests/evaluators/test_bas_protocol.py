"""The judge on five images whose figures are worked out by hand."""

import dataclasses

import numpy as np
import pytest

from bas_tf import names
from bas_tf.errors import UserError
from bas_tf.evaluators.bas_protocol import evaluate_bas


def judge(split, *, size=2, origin="fixed", threshold=0.5, order=None):
    return evaluate_bas(
        batches=split.batches(size, order),
        records=split.records,
        predict_fn=split.predict,
        resize_size_wh=(32, 32),
        crop_size_wh=(32, 32),
        score_threshold=threshold,
        threshold_origin=origin,
    )


def test_figures_by_hand(split):
    metrics = dict(judge(split))
    # Boxes: 0, 1 and 4 right, 2 wrong, 3 has no truth. Class first: 0, 2, 3, 4.
    assert metrics["gt_known_loc"] == 3 / 4
    assert metrics["gt_known_loc@0.3"] == metrics["gt_known_loc@0.7"] == 3 / 4
    assert metrics["top1_loc"] == 2 / 4
    assert metrics["top5_loc"] == 3 / 4  # two classes: both are among five
    assert metrics["mean_iou"] == pytest.approx((1 + 1 + 121 / 625 + 1) / 4)
    assert metrics["top1_acc"] == 4 / 5
    assert metrics["top5_acc"] == 1.0
    # Class 0: images 0 and 4, both right; class 1: images 1 and 2, one right.
    assert metrics["gt_known_loc_class_mean"] == (1 + 1 / 2) / 2
    assert metrics["top1_acc_class_mean"] == (1 + 1 / 2) / 2
    assert metrics["num_images"] == 5
    assert metrics["num_images_without_boxes"] == 1
    assert metrics["num_degenerate"] == 1
    areas = np.array([100, 100, 24 * 24, 4, 1024 * 0.25]) / 1024
    assert metrics["mean_map"] == pytest.approx(areas.mean())
    # The only mask is image 0's, and its map is exactly it.
    assert metrics["pixel_iou"] == metrics["peak_in_mask"] == 1.0
    assert not any(name.startswith("cam/") for name in metrics)
    assert metrics["centre_box/gt_known_loc"] >= 0.25


def test_intervals_hold_the_means_over_images(split):
    evaluation = judge(split)
    assert set(evaluation.intervals_95) == {
        "gt_known_loc",
        "gt_known_loc@0.3",
        "gt_known_loc@0.7",
        "top1_loc",
        "top5_loc",
        "mean_iou",
        "top1_acc",
        "top5_acc",
    }
    for name, (low, high) in evaluation.intervals_95.items():
        assert 0.0 <= low <= evaluation.metrics[name] <= high <= 1.0
    # Wilson at 3 of 4
    assert evaluation.intervals_95["gt_known_loc"] == pytest.approx(
        (0.3006, 0.9544), abs=1e-4
    )
    assert evaluation.gt_known_table == [(0, 2, 2), (1, 1, 2)]


@pytest.mark.parametrize("size", [1, 3, 5])
def test_batches_and_order_do_not_matter(split, size):
    shuffled = judge(split, size=size, order=[4, 0, 3, 1, 2])
    assert dict(shuffled) == dict(judge(split))


def test_fixed_judges_the_boxes_that_the_predict_fn_gave(split):
    split.outputs[names.BOXES][:] = [20, 20, 21, 21]
    assert judge(split).metrics["gt_known_loc"] == 0.0
    # The other origins read the maps.
    assert judge(split, origin="val-optimal").metrics["gt_known_loc"] == 3 / 4


def test_val_optimal_uses_the_threshold_it_is_given(split):
    split.outputs[names.LOCALIZATION_MAP][0, 20:] = 0.4
    low = judge(split, origin="val-optimal", threshold=0.3)
    high = judge(split, origin="val-optimal", threshold=0.5)
    assert (low.score_threshold, high.score_threshold) == (0.3, 0.5)
    assert (low.metrics["gt_known_loc"], high.metrics["gt_known_loc"]) == (0.5, 0.75)


def test_oracle_chooses_on_the_split_and_says_so(split):
    split.outputs[names.LOCALIZATION_MAP][0, 20:] = 0.4
    evaluation = judge(split, origin="oracle", threshold=0.1)
    assert evaluation.score_threshold == pytest.approx(0.4)
    assert evaluation.threshold_origin == "oracle"
    assert evaluation.metrics["gt_known_loc"] == 0.75


def test_cam_of_the_network_stands_beside_it(split):
    split.outputs[names.CAM] = split.outputs[names.LOCALIZATION_MAP][..., np.newaxis]
    metrics = dict(judge(split))
    for name in ("gt_known_loc", "gt_known_loc@0.7", "top1_loc", "mean_iou"):
        assert metrics[f"cam/{name}"] == metrics[name]
    assert metrics["cam/score_threshold"] == 0.0  # maps of 0 and 1: all are equal


def test_without_any_true_box_only_the_classes_are_judged(split):
    split.records = [dataclasses.replace(r, boxes_original=None) for r in split.records]
    evaluation = judge(split)
    assert evaluation.metrics["top1_acc"] == 4 / 5
    assert evaluation.metrics["num_images_without_boxes"] == 5
    assert "gt_known_loc" not in evaluation.metrics
    assert evaluation.gt_known_table == []
    with pytest.raises(UserError, match="true boxes"):
        judge(split, origin="oracle")


@pytest.mark.parametrize("origin", ["fixed", "val-optimal", "oracle"])
@pytest.mark.parametrize("value", [np.nan, 0.0, np.inf])
def test_broken_maps_give_finite_figures_and_are_counted(split, origin, value):
    split.outputs[names.LOCALIZATION_MAP][:] = value
    split.outputs[names.CAM] = split.outputs[names.LOCALIZATION_MAP]
    split.outputs[names.BOXES][:] = [0, 0, 32, 32]
    split.outputs[names.DEGENERATE][:] = True
    metrics = dict(judge(split, origin=origin))
    assert metrics["num_degenerate"] == 5
    assert metrics["gt_known_loc"] == 1 / 4  # image 4's second box is the crop
    assert np.isfinite(list(metrics.values())).all()


def test_unknown_origins_are_refused_before_anything_runs(split):
    with pytest.raises(UserError, match="'best'; known: fixed, val-optimal, oracle"):
        judge(split, origin="best")
