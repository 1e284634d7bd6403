"""Protocols `maxboxacc` and `pxap`: every recorded count, box and histogram."""

import numpy as np
import pytest

from bas_tf.geometry import contours, frames
from bas_tf.metrics import box_accuracy, pixel_precision
from tests.golden import weights

CROP = (224, 224)
OBJECT, IGNORE = 1, 255  # of the recorded masks


@pytest.fixture(scope="module")
def recorded(shared_dir) -> dict[str, np.ndarray]:
    return weights.golden(shared_dir, "maxboxacc_pxap")


@pytest.fixture(scope="module")
def scores(recorded) -> np.ndarray:
    """[40, 224, 224], each map on the crop, normalised."""
    return np.stack([contours.scores_on_crop(m, CROP) for m in recorded["maps28"]])


@pytest.fixture(scope="module")
def sweep(recorded) -> box_accuracy.BoxSweep:
    owners, boxes = recorded["gt_boxes_image"], recorded["gt_boxes_xyxy"]
    true_boxes = [
        frames.scale_and_truncate(boxes[owners == i], size_wh, CROP)
        for i, size_wh in enumerate(recorded["image_sizes_wh"])
    ]
    return box_accuracy.sweep_maps(recorded["maps28"], true_boxes, crop_size_wh=CROP)


def test_the_thresholds_are_the_recorded_ones(recorded):
    np.testing.assert_array_equal(box_accuracy.THRESHOLDS, recorded["thresholds"])


def test_maps_on_the_crop(recorded, scores):
    expected = recorded["normalized224_stats"]
    y, x = [50, 120, 200], [60, 100, 180]
    ours = np.column_stack(
        [scores.min(axis=(1, 2)), scores.max(axis=(1, 2)), scores.mean(axis=(1, 2))]
        + [scores[:, row, column] for row, column in zip(y, x, strict=True)]
    )
    assert ours.shape == expected.shape == (40, 6)
    # Bicubic in float64; another summation order moves a mean by 1e-16 or so.
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-13)
    assert not scores[7].any()  # the constant map


@pytest.mark.parametrize("iou_percent", [30, 50, 70])
@pytest.mark.parametrize("kind", ["single", "multi"])
def test_counts_at_all_thresholds(recorded, sweep, kind, iou_percent):
    ours = sweep.num_correct(iou_threshold=iou_percent / 100, multi=kind == "multi")
    expected = recorded[f"num_correct_{kind}_{iou_percent}"]
    assert ours.shape == (1000,)
    assert len(np.unique(expected)) > 20  # the curve is no constant
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_maxima(recorded, sweep, kind):
    ours = [
        100 * sweep.num_correct(iou_threshold=d, multi=kind == "multi").max() / 40
        for d in box_accuracy.IOU_THRESHOLDS
    ]
    np.testing.assert_array_equal(ours, recorded[f"max_box_acc_{kind}"])


def test_boxes_of_the_largest_contour(recorded, scores):
    levels = contours.level_of(recorded["boxes_single_thr"])
    quantized = contours.quantize(scores)
    for image, expected in zip(quantized, recorded["boxes_single_at_thr"], strict=True):
        for level, box in zip(levels.tolist(), expected, strict=True):
            boxes, largest = contours.boxes_above(image, level)
            np.testing.assert_array_equal(boxes[largest], box)


def test_histograms_and_px_ap(recorded, scores):
    histograms = sum(
        pixel_precision.score_histograms(image, mask == OBJECT, mask == IGNORE)
        for image, mask in zip(scores, recorded["masks224"], strict=True)
    )
    np.testing.assert_array_equal(histograms[0], recorded["gt_true_score_hist"])
    np.testing.assert_array_equal(histograms[1], recorded["gt_false_score_hist"])
    ours = 100 * pixel_precision.px_ap(histograms)
    assert ours == pytest.approx(recorded["px_ap"], abs=1e-9, rel=0)
