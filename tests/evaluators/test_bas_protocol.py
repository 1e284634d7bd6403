"""The evaluator on five images whose figures are worked out by hand."""

import numpy as np
import pytest

from bas_tf import names
from bas_tf.errors import UserError
from bas_tf.evaluators.bas_protocol import evaluate_bas
from tests.evaluators.conftest import SIZE, Split, opposed_split, record, square_map


def evaluate(split, *, origin="fixed", threshold=0.5, **functions):
    return evaluate_bas(
        batches=split.batches(2),
        records=split.records,
        **(functions or {"label_fn": split.predict_label}),
        **SIZE,
        score_threshold=threshold,
        threshold_origin=origin,
    )


def test_figures_by_hand(split):
    metrics = dict(evaluate(split))
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
    evaluation = evaluate(split, threshold=0.25)
    localization = (
        "predicted_map_loc", "predicted_map_loc@0.3", "predicted_map_loc@0.7",
        "predicted_map_iou", "gt_known_loc", "gt_known_loc@0.3", "gt_known_loc@0.7",
        "top1_loc",
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
        for name in ("predicted_map_loc", "gt_known_loc", "top1_loc", "top5_loc")
    }
    for name in ("top1_acc", "top5_acc"):
        expected[name] = (5, "images", *NO_BOX)
        expected[f"{name}_class_mean"] = (5, "classes", *NO_BOX)
    for name in ("pixel_iou", "pixel_precision"):
        expected[name] = (1, "pixels", [], None, [0.25], "fixed")
    expected["peak_in_mask"] = (1, "images", *NO_BOX)
    for name, right in zip(localization, IOU_FACTS, strict=True):
        if not name.startswith("predicted"):  # no map gave the box
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


# IoU thresholds and comparison of the ten figures, then of one without a box.
IOU_FACTS = [
    ([0.5], ">"), ([0.3], ">"), ([0.7], ">"), ([], None),
    ([0.5], ">"), ([0.3], ">"), ([0.7], ">"), ([0.5], ">"), ([0.5], ">"), ([], None),
]  # fmt: skip
NO_BOX = ([], None, [], None)


def test_intervals_hold_their_figures(split):
    evaluation = evaluate(split)
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
    evaluation = evaluate(split)
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
    figure = evaluate(split).figures["pixel_iou"]
    assert figure.value == (100 + 100) / (100 + 200)
    # Image 0 twice, both, image 1 twice: 1, 2 / 3 or 100 / 200.
    assert figure.interval_95 == (0.5, 1.0)
    assert figure.num_images == 2


def test_masks_that_are_no_masks_of_ours_are_refused(split):
    split.records[0] = record(0, [[4, 4, 14, 14]], np.eye(32, dtype=np.uint8))
    with pytest.raises(UserError, match=r"1 of 5 images have a mask, .* \(value 255\)"):
        evaluate(split)


def test_per_image_maxima_are_reported_nowhere():
    for origin, threshold in (
        ("val-optimal", 0.2),
        ("val-optimal", 0.7),
        ("oracle", 0),
    ):
        evaluation = evaluate(opposed_split(), origin=origin, threshold=threshold)
        evaluated = {
            name: value
            for name, value in evaluation.metrics.items()
            if "_loc" in name and not name.startswith("centre_box/")
        }
        # Both averages, extension, cam, each with the predicted class's as well.
        assert len(evaluated) == 8 + 8 + 4 + 8
        assert set(evaluated.values()) == {1 / 2}
        assert np.nansum(evaluation.per_image["correct"]) == 1


@pytest.fixture
def two_readings() -> Split:
    """Four images of class 0 or 1, whose label's map is not the predicted class's.

    True box 4, 4, 14, 14 everywhere; "hit" is that square, "miss" 24, 24, 28, 28.
                 label  predicted class  label's map  predicted class's map
      0              0                0          hit                    hit
      1              0                1          hit                   miss
      2              1                0         miss                    hit
      3              1                0          hit                   miss
    """
    hit, miss = square_map(4, 4, 10), square_map(24, 24, 4)
    boxes = {id(hit): [4, 4, 14, 14], id(miss): [24, 24, 28, 28]}

    def outputs(maps):
        return {
            names.LOCALIZATION_MAP: np.stack(maps),
            names.CAM: np.stack(maps),
            names.BOXES: np.array([boxes[id(m)] for m in maps], np.float32),
            names.DEGENERATE: np.zeros(4, bool),
        }

    scores = [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.6, 0.4]]
    return Split(
        records=[record(label, [[4, 4, 14, 14]]) for label in (0, 0, 1, 1)],
        outputs={
            **outputs([hit, miss, hit, miss]),
            names.SCORES: np.array(scores, np.float32),
        },
        of_label=outputs([hit, hit, miss, hit]),
    )


@pytest.mark.parametrize("origin", ["fixed", "val-optimal"])
def test_the_labels_map_and_the_predicted_classs_by_hand(two_readings, origin):
    evaluation = evaluate(two_readings, origin=origin)
    metrics = evaluation.metrics
    # Label's map: 0, 1 and 3 hit. Predicted class's: 0 and 2. Class right: 0 alone.
    assert (metrics["gt_known_loc"], metrics["predicted_map_loc"]) == (3 / 4, 2 / 4)
    assert metrics["top1_loc"] == 1 / 4
    assert metrics["top5_loc"] == 3 / 4  # both of two classes are among five
    # The squares of 10 and 4 do not meet: IoU is 1 or 0.
    assert (metrics["mean_iou"], metrics["predicted_map_iou"]) == (3 / 4, 2 / 4)
    # By class: label's (2 / 2 + 1 / 2) / 2, predicted class's (1 / 2 + 1 / 2) / 2.
    assert metrics["gt_known_loc_class_mean"] == 3 / 4
    assert metrics["predicted_map_loc_class_mean"] == 1 / 2
    assert metrics["extension/predicted_map_loc"] == 2 / 4
    assert metrics["cam/gt_known_loc"] == 3 / 4
    assert metrics["cam/predicted_map_loc"] == 2 / 4
    facts = {name: figure.map_class for name, figure in evaluation.figures.items()}
    for prefix in ("", "cam/"):
        assert facts[f"{prefix}gt_known_loc"] == "label"
        assert facts[f"{prefix}predicted_map_loc"] == "predicted"
    np.testing.assert_array_equal(evaluation.per_image["correct"], [1, 1, 0, 1])


def test_without_a_label_no_figure_has_the_name_of_the_labels_map(two_readings):
    evaluation = evaluate(two_readings, predict_fn=two_readings.predict)
    metrics = evaluation.metrics
    assert (metrics["predicted_map_loc"], metrics["top1_loc"]) == (2 / 4, 1 / 4)
    assert metrics["cam/predicted_map_loc"] == 2 / 4
    of_label = {"gt_known_loc", "top5_loc", "mean_iou"}
    own = {name for name in metrics if not name.startswith("centre_box/")}
    assert not {n for n in own for stem in of_label if stem in n}
    assert evaluation.map_class == "predicted"


def test_a_model_that_only_draws_a_given_class(two_readings):
    """As a given_class file: no figure needs the class that it does not name."""

    def label_fn(images, labels):
        outputs = two_readings.predict_label(images, labels)
        return {key: v for key, v in outputs.items() if key.startswith("label_")}

    metrics = evaluate(two_readings, label_fn=label_fn).metrics
    assert metrics["gt_known_loc"] == 3 / 4
    assert not {name for name in metrics if "top" in name or "predicted" in name}


def test_fixed_evaluates_the_boxes_that_the_predict_fn_gave(split):
    split.outputs[names.BOXES][:] = [20, 20, 21, 21]
    assert evaluate(split).metrics["gt_known_loc"] == 0.0
    assert evaluate(split).metrics["predicted_map_loc"] == 0.0
    # The other origins read the maps.
    assert evaluate(split, origin="val-optimal").metrics["gt_known_loc"] == 3 / 4


def test_val_optimal_uses_the_threshold_it_is_given(split):
    split.outputs[names.LOCALIZATION_MAP][0, 20:] = 0.4
    low = evaluate(split, origin="val-optimal", threshold=0.3)
    high = evaluate(split, origin="val-optimal", threshold=0.5)
    assert (low.score_threshold, high.score_threshold) == (0.3, 0.5)
    assert (low.metrics["gt_known_loc"], high.metrics["gt_known_loc"]) == (0.5, 0.75)


def test_oracle_chooses_on_the_split_and_says_so(split):
    split.outputs[names.LOCALIZATION_MAP][0, 20:] = 0.4
    evaluation = evaluate(split, origin="oracle", threshold=0.1)
    assert evaluation.score_threshold == pytest.approx(0.4)
    assert evaluation.threshold_origin == "oracle"
    assert evaluation.metrics["gt_known_loc"] == 0.75


def test_cam_of_the_network_is_next_to_it(split):
    split.outputs[names.CAM] = split.outputs[names.LOCALIZATION_MAP][..., np.newaxis]
    metrics = dict(evaluate(split))
    for name in ("gt_known_loc", "gt_known_loc@0.7", "top1_loc", "mean_iou"):
        assert metrics[f"cam/{name}"] == metrics[name]
    assert metrics["cam/score_threshold"] == 0.0  # maps of 0 and 1: all are equal


@pytest.mark.parametrize("origin", ["fixed", "val-optimal", "oracle"])
@pytest.mark.parametrize("value", [np.nan, 0.0, np.inf])
def test_broken_maps_give_finite_figures_and_are_counted(split, origin, value):
    split.outputs[names.LOCALIZATION_MAP][:] = value
    split.outputs[names.CAM] = split.outputs[names.LOCALIZATION_MAP]
    split.outputs[names.BOXES][:] = [0, 0, 32, 32]
    split.outputs[names.DEGENERATE][:] = True
    metrics = dict(evaluate(split, origin=origin))
    assert metrics["num_degenerate"] == 5
    assert metrics["gt_known_loc"] == 1 / 4  # image 4's second box is the crop
    assert np.isfinite(list(metrics.values())).all()
