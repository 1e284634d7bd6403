"""Protocol `maxboxacc` on images whose figures are worked out by hand."""

import numpy as np
import pytest

from bas_tf import names
from bas_tf.errors import UserError
from tests.evaluators import conftest
from tests.evaluators.conftest import chosen_threshold, record


def evaluate(split, **options):
    return conftest.evaluate(split, "maxboxacc", **options)


@pytest.fixture
def opposed_split():
    split = conftest.opposed_split()
    del split.outputs[names.CAM]
    return split


def test_figures_by_hand(split):
    metrics = dict(evaluate(split))
    # Images 0 and 1 are exact; 2 covers 25 x 25 for 11 x 11; 3 has no true box; the
    # constant map of 4 is the corner pixel, which its second box of 33 x 33 holds.
    ious = [1, 1, 121 / 625, 1 / 1089]
    assert metrics["gt_known_loc"] == metrics["gt_known_loc@0.7"] == 2 / 4
    assert metrics["gt_known_loc@0.3"] == 2 / 4
    assert metrics["mean_iou"] == pytest.approx(sum(ious) / 4)
    assert metrics["top1_loc"] == 1 / 4  # image 1 is taken for the other class
    assert metrics["top5_loc"] == 2 / 4
    assert (metrics["top1_acc"], metrics["top5_acc"]) == (4 / 5, 1.0)
    # The maps are 0 and 1: all thresholds are equal.
    for name in (
        "max_box_acc",
        "max_box_acc@0.3",
        "max_box_acc_v2",
        "max_box_acc_v2@0.7",
    ):
        assert metrics[name] == 2 / 4
    assert metrics["num_images"] == 5
    assert metrics["num_images_without_boxes"] == 1
    assert metrics["num_degenerate"] == 1
    assert not any(name.startswith("cam/") for name in metrics)


def test_iou_of_exactly_the_threshold_is_right(split):
    # 11 x 11 with the extra pixel, of a true box of 11 x 22.
    split.records[0] = record(0, [[4, 4, 14, 25]])
    evaluation = evaluate(split)
    assert evaluation.per_image["iou"][0] == 0.5
    assert evaluation.metrics["gt_known_loc"] == 2 / 4


def test_every_figure_has_its_facts(split):
    evaluation = evaluate(split, threshold=0.25)
    figures = evaluation.figures
    assert set(figures) | {
        "num_images", "num_images_without_boxes", "num_empty_boxes", "num_degenerate",
    } == set(evaluation.metrics)  # fmt: skip
    for name, figure in figures.items():
        low, high = figure.interval_95
        assert 0 <= low <= figure.value <= high <= 1
        is_class, is_maximum = name in ("top1_acc", "top5_acc"), "max_" in name
        assert figure.num_images == (5 if is_class else 4)
        origin = None if is_class else "oracle" if is_maximum else "fixed"
        assert figure.threshold_origin == origin
        if is_class:
            assert not figure.score_thresholds
        elif not is_maximum:
            assert figure.score_thresholds == [0.25]
        assert figure.average == "images"
        assert figure.comparison == (">=" if figure.iou_thresholds else None)
    assert {name for name, f in figures.items() if not f.iou_thresholds} == {
        "mean_iou", "top1_acc", "top5_acc",
    }  # fmt: skip
    assert figures["gt_known_loc"].iou_thresholds == [0.5]
    assert list(figures["max_box_acc_v2"].iou_thresholds) == [0.3, 0.5, 0.7]
    assert len(figures["max_box_acc_v2"].score_thresholds) == 3
    # Two right of four: resamples of four hold from none to four of them.
    assert figures["gt_known_loc"].interval_95 == (0.0, 1.0)


def test_per_image_maxima_are_reported_nowhere(opposed_split):
    """One threshold for all gives 1 of 2, one for each image would give 2 of 2."""
    for origin, threshold in (("fixed", 0.2), ("fixed", 0.7), ("oracle", 0.7)):
        evaluation = evaluate(opposed_split, threshold=threshold, origin=origin)
        for name in ("gt_known_loc", "max_box_acc", "max_box_acc@0.7", "top5_loc"):
            assert evaluation.metrics[name] == 1 / 2
        # Contours of one level never hold both boxes, so neither does V2.
        assert evaluation.metrics["max_box_acc_v2"] == 1 / 2
        assert np.nansum(evaluation.per_image["correct"]) == 1
    correct = [
        evaluate(opposed_split, threshold=t).per_image["correct"] for t in (0.2, 0.7)
    ]
    np.testing.assert_array_equal(np.max(correct, axis=0)[:2], [1, 1])


def test_v2_takes_a_best_threshold_for_each_iou(opposed_split):
    """Right images of five at IoU 0.3, 0.5, 0.7: 3, 1, 1 below 0.4, then 2, 2, 2.

    Below 0.4 the box is 21 x 21 with the extra pixel: all of the first true box, 0.43
    of the last two. From 0.4 on it is 9 x 9, all of the second and third.
    """
    large, small, larger = [[4, 4, 24, 24]], [[6, 6, 14, 14]], [[0, 0, 31, 31]]
    opposed_split.records = [
        record(0, boxes) for boxes in (large, small, small, larger, larger)
    ]
    for name, column in opposed_split.outputs.items():
        opposed_split.outputs[name] = np.stack([column[0]] * 5)
    figures = evaluate(opposed_split).figures
    assert figures["max_box_acc_v2"].value == pytest.approx((3 + 2 + 2) / 3 / 5)
    assert figures["max_box_acc_v2"].score_thresholds == [0.0, 0.4, 0.4]
    low, high = figures["max_box_acc_v2"].interval_95
    assert low <= 7 / 15 <= high
    assert figures["max_box_acc"].value == 2 / 5


def test_oracle_takes_the_best_threshold_and_says_so(opposed_split):
    opposed_split.records[0] = record(0, [[6, 6, 14, 14]])  # now both are small
    evaluation = evaluate(opposed_split, threshold=0.1, origin="oracle")
    assert evaluation.threshold_origin == "oracle"
    assert evaluation.score_threshold == pytest.approx(0.4)
    assert evaluation.score_threshold == chosen_threshold(opposed_split, "maxboxacc")
    assert evaluation.metrics["gt_known_loc"] == 1.0
    assert evaluation.figures["gt_known_loc"].threshold_origin == "oracle"
    fixed = evaluate(opposed_split, threshold=0.1)
    assert fixed.metrics["gt_known_loc"] == 0.0
    # 0.4 x 255 = 102 is still above level 101, t = 0.399 (101.7); float32 0.4 is a
    # little more than 0.4, so it is 102 and t = 0.4 the first threshold to part them.
    figure = fixed.figures["max_box_acc"]
    assert (figure.value, figure.score_thresholds) == (1.0, [0.4])
    assert figure.threshold_origin == "oracle"


def test_cam_has_its_own_maxima(split):
    split.outputs[names.CAM] = split.outputs[names.LOCALIZATION_MAP][..., np.newaxis]
    figures = evaluate(split).figures
    for name in ("max_box_acc", "max_box_acc@0.3", "max_box_acc_v2"):
        assert figures[f"cam/{name}"] == figures[name]


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_broken_maps_give_finite_figures_and_are_counted(split, value):
    split.outputs[names.LOCALIZATION_MAP][:] = value
    metrics = dict(evaluate(split))
    assert metrics["num_degenerate"] == 5
    assert metrics["max_box_acc"] == 0.0
    assert np.isfinite(list(metrics.values())).all()


def test_the_box_in_the_per_image_table(split):
    boxes = evaluate(split).per_image["box"]
    # Image 2's square ends at the pixel 27; half-open that is 28.
    assert boxes.tolist() == [
        [4, 4, 14, 14], [8, 8, 18, 18], [4, 4, 28, 28], [0, 0, 2, 2], [0, 0, 0, 0],
    ]  # fmt: skip


@pytest.mark.parametrize("threshold", [-0.1, 1.0])
def test_a_threshold_that_no_level_has(split, threshold):
    with pytest.raises(
        UserError, match=rf"score_threshold is {threshold}; protocol max"
    ):
        evaluate(split, threshold=threshold)
