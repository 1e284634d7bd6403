"""The evaluator of protocol `pxap` on images whose figures are worked out by hand."""

import dataclasses

import numpy as np
import pytest

from bas_tf import names
from bas_tf.errors import UserError
from tests.evaluators import conftest
from tests.evaluators.conftest import CROP, chosen_threshold


def mask_of(object_rows: slice, ignored_rows: slice = slice(0)) -> np.ndarray:
    mask = np.zeros([CROP, CROP], np.uint8)
    mask[ignored_rows] = 128
    mask[object_rows] = 255
    return mask


@pytest.fixture
def masked_split(split):
    """Image 0: 8 object rows, scores 1 on 4 of them and 0.5 on the rest and on 4 more.

    Image 1: 16 object rows, which the map has at 0.8 under one pixel of 1; 4 rows at
    0.9 are ignored. The other images have no mask.
    """
    maps = split.outputs[names.LOCALIZATION_MAP]
    maps[:2] = 0
    maps[0, 4:12], maps[0, :4] = 0.5, 1.0
    maps[1, :16], maps[1, 20:24], maps[1, 0, 0] = 0.8, 0.9, 1.0
    masks = [mask_of(slice(8)), mask_of(slice(16), slice(20, 24)), None, None, None]
    split.records = [
        dataclasses.replace(r, load_mask=None if m is None else lambda m=m: m)
        for r, m in zip(split.records, masks, strict=True)
    ]
    return split


def evaluate(split, *, threshold=0.45, **options):
    return conftest.evaluate(split, "pxap", threshold=threshold, **options)


def test_figures_by_hand(masked_split):
    metrics = dict(evaluate(masked_split))
    # In rows of 32 pixels, from the top: score 1, 4 of the object (and the pixel);
    # 0.8, up to 16 more, all of them object; 0.5, 4 more of each; then the rest.
    # 24 rows of object, precision 1 up to 20, then 24 of 28.
    assert metrics["px_ap"] == pytest.approx((20 + 4 * 24 / 28) / 24)
    assert metrics["pixel_iou"] == 24 / 28  # at 0.45
    assert metrics["pixel_precision"] == 24 / 28
    assert metrics["pixel_recall"] == 1.0
    assert metrics["peak_pixel_iou"] == 24 / 28  # before: 20 of 24
    assert metrics["piou"] == 24 / 28  # these maps have the crop's size
    assert metrics["top1_acc"] == 4 / 5
    assert (metrics["num_images"], metrics["num_images_without_masks"]) == (5, 3)
    per_image = evaluate(masked_split).per_image["pixel_iou"]
    np.testing.assert_array_equal(per_image, [8 / 12, 1.0, *[np.nan] * 3])


def test_at_another_threshold(masked_split):
    metrics = dict(evaluate(masked_split, threshold=0.6))
    assert (metrics["pixel_iou"], metrics["pixel_precision"]) == (20 / 24, 1.0)
    assert metrics["pixel_recall"] == 20 / 24
    # The nearest of the thresholds is said.
    assert evaluate(masked_split, threshold=0.60049).score_threshold == pytest.approx(
        0.6
    )


def test_every_figure_has_its_facts(masked_split):
    figures = evaluate(masked_split).figures
    facts = {
        name: (f.threshold_origin, len(f.score_thresholds), f.num_images, f.average)
        for name, f in figures.items()
    }
    assert facts == {
        "px_ap": (None, 0, 2, "pixels"),  # the area under the whole curve
        "peak_pixel_iou": ("oracle", 1, 2, "pixels"),
        "piou": ("oracle", 1, 2, "pixels"),
        "pixel_iou": ("fixed", 1, 2, "pixels"),
        "pixel_precision": ("fixed", 1, 2, "pixels"),
        "pixel_recall": ("fixed", 1, 2, "pixels"),
        "top1_acc": (None, 0, 5, "images"),
        "top5_acc": (None, 0, 5, "images"),
    }
    assert {f.comparison for f in figures.values()} == {None}
    # Of two images a resample holds one twice or both: 8 / 12, 24 / 28 or 1.
    assert figures["pixel_iou"].interval_95 == (8 / 12, 1.0)
    assert all(
        f.interval_95[0] <= f.value <= f.interval_95[1] for f in figures.values()
    )


def test_the_best_threshold_of_the_split(masked_split):
    # Up to 0.5 all levels give 24 of 28; the lowest above 0 is 0.001.
    evaluation = evaluate(masked_split, threshold=0.9, origin="oracle")
    assert evaluation.score_threshold == pytest.approx(0.001)
    assert evaluation.metrics["pixel_iou"] == evaluation.metrics["peak_pixel_iou"]
    assert evaluation.figures["pixel_iou"].threshold_origin == "oracle"
    assert chosen_threshold(masked_split, "pxap") == evaluation.score_threshold


def test_pixels_are_pooled_over_images_of_any_size(masked_split):
    """A mask of another size comes to the crop without another crop."""
    small = mask_of(slice(8))[::4, ::8]
    masked_split.records[0] = dataclasses.replace(
        masked_split.records[0], load_mask=lambda: small
    )
    assert small.shape == (8, 4)
    assert evaluate(masked_split).metrics["pixel_iou"] == 24 / 28


@pytest.mark.parametrize(
    ("mask", "said"), [(None, "0 of 5 images"), (mask_of(slice(0)), "5 of 5 images")]
)
def test_nothing_to_evaluate(split, mask, said):
    split.records = [
        dataclasses.replace(r, load_mask=mask if mask is None else lambda: mask)
        for r in split.records
    ]
    for origin in ("fixed", "oracle"):
        with pytest.raises(UserError, match=f"protocol pxap: {said} have a mask"):
            evaluate(split, origin=origin)


def test_constant_and_broken_maps(masked_split):
    maps = masked_split.outputs[names.LOCALIZATION_MAP]
    maps[0], maps[1] = 0.7, np.nan
    # All pixels at 0: 24 of 64 rows less the 4 ignored.
    assert evaluate(masked_split).metrics["px_ap"] == pytest.approx(24 / 60)
