"""The judge on five images whose figures are worked out by hand."""

import dataclasses

import numpy as np
import pytest

from bas_tf import names
from bas_tf.errors import UserError
from bas_tf.evaluators.bas_protocol import evaluate_bas
from tests.evaluators.conftest import Split, record, square_map


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


def test_every_figure_has_its_facts(split):
    split.outputs[names.CAM] = split.outputs[names.LOCALIZATION_MAP]
    evaluation = judge(split, threshold=0.25)
    localization = (
        "gt_known_loc", "gt_known_loc@0.3", "gt_known_loc@0.7", "top1_loc",
        "top5_loc", "mean_iou",
    )  # fmt: skip
    expected = {
        name: (4, "images", *right, [0.25], "fixed")
        for name, right in zip(localization, IOU_FACTS, strict=True)
    }
    expected |= {
        f"{name}_class_mean": (4, "classes", *facts[2:])
        for name, facts in expected.items()
    }
    expected |= {
        f"extension/{name}": (4, "images", [0.5], ">=", [0.25], "fixed")
        for name in ("gt_known_loc", "top1_loc", "top5_loc")
    }
    for name in ("top1_acc", "top5_acc"):
        expected[name] = (5, "images", *NO_BOX)
        expected[f"{name}_class_mean"] = (5, "classes", *NO_BOX)
    for name in ("pixel_iou", "pixel_precision"):
        expected[name] = (1, "pixels", [], None, [0.25], "fixed")
    expected["peak_in_mask"] = (1, "images", *NO_BOX)
    for name, right in zip(localization, IOU_FACTS, strict=True):
        expected[f"centre_box/{name}"] = (4, "images", *right, [], "oracle")
        # Maps of 0 and 1: the first threshold is as good as any other.
        expected[f"cam/{name}"] = (4, "images", *right, [0.0], "oracle")
    assert {
        name: (
            f.num_images, f.average, list(f.iou_thresholds), f.comparison,
            list(f.score_thresholds), f.threshold_origin,
        )
        for name, f in evaluation.figures.items()
    } == expected  # fmt: skip


# IoU thresholds and comparison of the six figures, then of one without a box.
IOU_FACTS = [
    ([0.5], ">"), ([0.3], ">"), ([0.7], ">"), ([0.5], ">"), ([0.5], ">"), ([], None),
]  # fmt: skip
NO_BOX = ([], None, [], None)


def test_intervals_hold_their_figures(split):
    evaluation = judge(split)
    assert set(evaluation.intervals_95) == set(evaluation.figures)
    for name, (low, high) in evaluation.intervals_95.items():
        assert 0.0 <= low <= evaluation.metrics[name] <= high <= 1.0
    # Three right of four: no right draw of four has a chance of 1 / 256, at most one
    # of 13 / 256, so the 2.5 % point (6.4 / 256) is one of four.
    assert evaluation.intervals_95["gt_known_loc"] == (1 / 4, 1.0)
    # Two images a class. Without class 0 the mean is that of class 1: 0 has a chance of
    # 1 / 256, 1 / 4 of 4 / 256, 1 / 2 of 6 / 256. With class 0 it is 1 / 2 or more.
    assert evaluation.intervals_95["gt_known_loc_class_mean"] == (1 / 2, 1.0)


def test_an_iou_of_exactly_a_half_is_right_by_the_extension_only(split):
    """Box 0 has 11 x 11 pixels with the extra one, its true box now 11 x 22."""
    split.records[0] = record(0, [[4, 4, 14, 25]])
    evaluation = judge(split)
    metrics = evaluation.metrics
    assert evaluation.per_image["iou"][0] == (11 * 11) / (11 * 22) == 0.5
    assert evaluation.per_image["correct"][0] == 0
    # Of 0, 1, 2 and 4 the boxes of 1 and 4 are right, and that of 0 by >=.
    assert metrics["gt_known_loc"] == 2 / 4
    assert metrics["extension/gt_known_loc"] == 3 / 4
    # 1 has the wrong class first; both classes are among five.
    assert (metrics["top1_loc"], metrics["extension/top1_loc"]) == (1 / 4, 2 / 4)
    assert (metrics["top5_loc"], metrics["extension/top5_loc"]) == (2 / 4, 3 / 4)


def test_pixels_are_pooled_and_resampled_by_image(split):
    """Image 0: its mask exactly, 100 pixels. Image 1: 100 predicted on half of 200."""
    mask = np.zeros([32, 32], np.uint8)
    mask[8:18, 8:28] = 255
    split.records[1] = record(1, [[8, 8, 18, 18]], mask)
    figure = judge(split).figures["pixel_iou"]
    assert figure.value == (100 + 100) / (100 + 200)
    # Image 0 twice, both, image 1 twice: 1, 2 / 3 or 100 / 200.
    assert figure.interval_95 == (0.5, 1.0)
    assert figure.num_images == 2


def test_per_image_maxima_are_reported_nowhere():
    """Two images, each right at some threshold, never both at once.

    Both maps have 0.4 on a square of 20 around 1 on a square of 8. Image 0 is the
    large square, right for t < 0.4, image 1 the small one, right from there on. One
    threshold for all gives 1 of 2, one for each image would give 2 of 2.
    """
    score_map = np.maximum(0.4 * square_map(4, 4, 20), square_map(6, 6, 8))
    opposed = Split(
        records=[record(0, [[4, 4, 24, 24]]), record(0, [[6, 6, 14, 14]])],
        outputs={
            names.SCORES: np.array([[0.9, 0.1]] * 2, np.float32),
            names.LOCALIZATION_MAP: np.stack([score_map] * 2),
            names.CAM: np.stack([score_map] * 2),
            names.BOXES: np.zeros([2, 4], np.float32),
            names.DEGENERATE: np.zeros(2, bool),
        },
    )
    for origin, threshold in (
        ("val-optimal", 0.2),
        ("val-optimal", 0.7),
        ("oracle", 0),
    ):
        evaluation = judge(opposed, origin=origin, threshold=threshold)
        judged = {
            name: value
            for name, value in evaluation.metrics.items()
            if "_loc" in name and not name.startswith("centre_box/")
        }
        assert len(judged) == 5 + 5 + 3 + 5  # both averages, extension, cam
        assert set(judged.values()) == {1 / 2}
        assert evaluation.per_image["correct"].sum() == 1


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
    assert not [name for name in evaluation.metrics if "_loc" in name]
    assert evaluation.figures["top1_acc"].interval_95[0] < 4 / 5
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
