"""Maps refined by colours: on squares whose edges are known, and as part of a model."""

import numpy as np
import pytest
import tensorflow as tf

from bas_tf import names
from bas_tf.errors import UserError
from bas_tf.refinement import grabcut, masks, pamr, refined_boxes
from bas_tf.runners import Runner

TRUE = np.array([30, 24, 70, 60])  # of the square in the photo


@pytest.fixture
def photo(rng):
    """A bright square on dark noise."""
    pixels = rng.integers(20, 60, [90, 100, 3]).astype(np.uint8)
    pixels[24:60, 30:70] += 150
    return pixels


@pytest.fixture
def wide_map():
    """A map at a fifth of the size that is a rim of 5 pixels too wide."""
    coarse = np.zeros([18, 20], np.float32)
    coarse[4:13, 5:15], coarse[6:11, 7:13] = 0.6, 1.0
    return coarse


@pytest.mark.parametrize("refine", ["grabcut", "pamr"])
def test_the_box_goes_to_the_edge(photo, wide_map, refine):
    def box(how):
        mask = refined_boxes.refined_mask(
            photo, wide_map, refine=how, score_threshold=0.4
        )
        assert mask.shape == photo.shape[:2] and mask.dtype == bool
        return masks.box_of_mask(mask)[0]

    before, after = (np.abs(box(how) - TRUE).max() for how in ("none", refine))
    assert before >= 4
    assert after <= (1 if refine == "grabcut" else 2)


def test_grabcut_repeats_and_a_large_photo_is_cut_smaller(photo, wide_map):
    large = np.kron(photo, np.ones([8, 8, 1], np.uint8))
    found = [
        grabcut.grabcut_mask(each, wide_map, score_threshold=0.4)
        for each in (photo, photo, large)
    ]
    np.testing.assert_array_equal(found[0][0], found[1][0])
    assert not any(is_kept for _, is_kept in found)
    box, _ = masks.box_of_mask(found[2][0])
    np.testing.assert_allclose(box, 8 * TRUE, atol=16)


@pytest.mark.parametrize("value", [0.0, 0.7, np.nan])
def test_a_flat_map_keeps_its_own_mask(photo, value):
    flat = np.full([18, 20], value, np.float32)
    mask, is_kept = grabcut.grabcut_mask(photo, flat, score_threshold=0.4)
    assert is_kept and not mask.any()
    box, degenerate = masks.box_of_mask(mask)
    assert degenerate and box.tolist() == [0, 0, 100, 90]


def test_colours_that_say_nothing_keep_the_maps_mask(wide_map):
    grey = np.full([90, 100, 3], 120, np.uint8)
    mask, is_kept = grabcut.grabcut_mask(grey, wide_map, score_threshold=0.4)
    own = masks.map_at(wide_map, (100, 90), score_threshold=0.4) > 0.5
    if is_kept:
        np.testing.assert_array_equal(mask, own)
    else:
        assert 0.6 <= mask.sum() / own.sum() <= 1.6


def test_a_map_is_rescaled_around_its_threshold():
    ramp = np.array([[0.0, 0.2, 0.4, 0.7, 1.0]], np.float32)
    found = masks.map_at(ramp, (5, 1), score_threshold=0.4)
    np.testing.assert_allclose(found, [[0, 0.25, 0.5, 0.75, 1]], atol=1e-6)


def test_run_lengths_by_hand():
    mask = np.array([[0, 1], [1, 1], [0, 1]], bool)  # by columns 0 1 0 1 1 1
    assert masks.run_lengths(mask) == {"size": [3, 2], "counts": [1, 1, 1, 3]}
    assert masks.run_lengths(np.ones([1, 2], bool))["counts"] == [0, 2]


@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_run_lengths_are_read_back(rng, share):
    mask = rng.uniform(size=[7, 5]) < share
    found = masks.from_run_lengths(masks.run_lengths(mask))
    assert found.dtype == bool
    np.testing.assert_array_equal(found, mask)


def test_pamr_is_the_formula_on_each_pixel(rng):
    """A slow second implementation: one dilation, one iteration."""
    image = rng.uniform(0, 255, [1, 4, 5, 3]).astype(np.float32)
    scores = rng.uniform(0, 1, [1, 4, 5, 1]).astype(np.float32)
    found = pamr.refine_maps(scores, image, dilations=(1,), iterations=1)
    colours = image[0] / 255
    for y in range(4):
        for x in range(5):
            places = [
                (np.clip(y + dy, 0, 3), np.clip(x + dx, 0, 4))
                for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)
            ]  # fmt: skip
            around = np.array([colours[place] for place in places])
            spread = np.std([*around, colours[y, x]], axis=0, ddof=1)
            likeness = -np.abs(around - colours[y, x]) / (1e-8 + 0.1 * spread)
            weights = np.exp(likeness.mean(axis=1))
            values = np.array([scores[0][place][0] for place in places])
            expected = (weights * values).sum() / weights.sum()
            assert float(found[0, y, x, 0]) == pytest.approx(expected, rel=1e-4)


def test_pamr_runs_in_a_graph(photo):
    maps = tf.zeros([1, 90, 100, 1])
    refined = tf.function(pamr.refine_maps)(maps, photo[np.newaxis])
    assert refined.shape == (1, 90, 100, 1) and not refined.numpy().any()


def test_a_models_boxes_are_refined_both_readings(photo, wide_map):
    outputs = {
        names.LOCALIZATION_MAP: wide_map[np.newaxis],
        names.BOXES: np.zeros([1, 4], np.float32), names.DEGENERATE: np.zeros(1, bool),
        names.SCORES: np.ones([1, 1], np.float32),
    }  # fmt: skip
    runner = Runner(
        lambda _: outputs, ("square",), None, score_threshold=0.4,
        label_fn=lambda *_: {**outputs, **names.of_label(outputs)},
    )  # fmt: skip
    refined = refined_boxes.refined_runner(runner, "grabcut")
    found = refined.label_fn(photo[np.newaxis], [0])
    for key in (names.BOXES, names.LABEL_BOXES):
        np.testing.assert_allclose(found[key], TRUE[np.newaxis], atol=1)
    assert refined_boxes.refined_runner(runner, "none") is runner
    with pytest.raises(UserError, match="refine is 'crf'; known: none, pamr, grabcut"):
        refined_boxes.refined_runner(runner, "crf")
    silent = Runner(lambda _: outputs, ("square",), None)
    with pytest.raises(UserError, match="score_threshold is None"):
        refined_boxes.refined_runner(silent, "grabcut")
