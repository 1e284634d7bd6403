"""From maps to boxes, IoU and true boxes: on the host, in graph, in LiteRT; every row.

Both paths are exact where this was written. The graph and other builds of OpenCV may
round a pixel that lies on the threshold the other way: one pixel of slack is given to
a box whose nearest pixel is less than 1e-6 from it (11 of 200), none to the others.
"""

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from bas_tf import inference, names
from bas_tf.export.litert import conversion
from bas_tf.geometry import boxes, components
from bas_tf.geometry.frames import CropFrame
from tests.golden import weights

CROP = (224, 224)


@pytest.fixture(scope="module")
def recorded(shared_dir) -> dict[str, np.ndarray]:
    return weights.golden(shared_dir, "postprocess")


def assert_boxes_equal(recorded, found: np.ndarray, degenerate: np.ndarray):
    """[40, 5, 4] boxes and [40, 5] flags of all maps at all thresholds."""
    assert found.shape == recorded["boxes"].shape == (40, 5, 4)
    slack = np.where(recorded["threshold_margin"] < 1e-6, 1, 0)
    assert slack.sum() == 11
    difference = np.abs(found - recorded["boxes"]).max(axis=-1)
    wrong = np.argwhere(difference > slack)
    assert not len(wrong), [(recorded["kinds"][i], i, t) for i, t in wrong]
    np.testing.assert_array_equal(degenerate, recorded["cam_n_above"] == 0)


def test_all_boxes_from_the_host_path(recorded):
    found = [
        components.boxes_at_thresholds(
            score_map, crop_size_wh=CROP, score_thresholds=recorded["thresholds"]
        )
        for score_map in recorded["maps"]
    ]
    assert_boxes_equal(recorded, *map(np.stack, zip(*found, strict=True)))


def test_all_boxes_one_at_a_time(recorded):
    found = [
        components.box_from_map(m, crop_size_wh=CROP, score_threshold=threshold)
        for m in recorded["maps"]
        for threshold in recorded["thresholds"]
    ]
    found, degenerate = map(np.stack, zip(*found, strict=True))
    assert_boxes_equal(recorded, found.reshape(40, 5, 4), degenerate.reshape(40, 5))


@pytest.mark.slow
def test_all_boxes_from_litert(recorded):
    maps = tf.TensorSpec([1, *recorded["maps"].shape[1:], 1], tf.float32, name="maps")
    threshold = tf.TensorSpec([], tf.float32, name="threshold")

    @tf.function(input_signature=[maps, threshold], autograph=False)
    def boxes_of(maps, threshold):
        return inference.map_to_boxes(maps, CROP, score_threshold=threshold)

    content = conversion.convert(boxes_of, ["none"])["none"]
    run = Interpreter(model_content=content).get_signature_runner(names.SIGNATURE)
    found = [
        run(maps=one[np.newaxis, ..., np.newaxis], threshold=np.float32(threshold))
        for one in recorded["maps"]
        for threshold in recorded["thresholds"]
    ]
    assert_boxes_equal(
        recorded,
        np.reshape([one[names.BOXES] for one in found], [40, 5, 4]),
        np.reshape([one[names.DEGENERATE] for one in found], [40, 5]),
    )


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "tf_function"])
def test_all_boxes_from_the_graph_path(recorded, compiled):
    def boxes_of(maps, threshold):
        return inference.map_to_boxes(maps, CROP, score_threshold=threshold)

    run = tf.function(boxes_of) if compiled else boxes_of
    maps = tf.constant(recorded["maps"][..., np.newaxis])
    thresholds = tf.constant(recorded["thresholds"], tf.float32)
    outputs = [run(maps, threshold) for threshold in thresholds]
    found = np.stack([o[names.BOXES] for o in outputs], axis=1)
    degenerate = np.stack([o[names.DEGENERATE] for o in outputs], axis=1)
    assert_boxes_equal(recorded, found, degenerate)


def test_resized_maps(recorded):
    """Six whole maps, and of all forty the sum and the count above each threshold.

    A constant map has no scale: it is recorded as NaN and is zero here.
    """
    resized = np.stack(
        [
            components.resize_map(components.normalize_map(m), CROP)
            for m in recorded["maps"]
        ]
    )
    # Linear interpolation of values in [0, 1]: float32 rounding is 1e-7.
    chosen = resized[recorded["cam_sel"]]
    np.testing.assert_allclose(chosen, recorded["cams"], rtol=0, atol=2e-7)
    constant = np.isnan(recorded["cam_sum"])
    np.testing.assert_array_equal(
        recorded["kinds"][constant], ["constant", "constant_zero"]
    )
    assert not resized[constant].any()
    sums = resized[~constant].sum(axis=(1, 2), dtype=np.float64)
    np.testing.assert_allclose(sums, recorded["cam_sum"][~constant], rtol=1e-6)
    above = resized[..., np.newaxis] > recorded["thresholds"].astype(np.float32)
    difference = np.abs(above.sum(axis=(1, 2)) - recorded["cam_n_above"])
    assert not difference[recorded["threshold_margin"] >= 1e-6].any()


def test_all_ious(recorded):
    ours = np.diagonal(boxes.iou_plus_one(recorded["iou_a"], recorded["iou_b"]))
    assert ours.shape == (200,)
    np.testing.assert_allclose(ours, recorded["iou"], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (150, 1.0),  # the same box twice
        (151, 0.0),  # a gap of one pixel, which the extra pixel only just closes
        (152, 11 / (121 + 121 - 11)),  # one shared column of 11, both boxes 11 x 11
        (153, 5.5 / (121 + 115.5 - 5.5)),  # a gap of half a pixel: 0.5 x 11 shared
        (154, 0.0),  # inverted
    ],
)
def test_ious_by_hand(recorded, row, expected):
    pair = recorded["iou_a"][[row]], recorded["iou_b"][[row]]
    assert boxes.iou_plus_one(*pair)[0, 0] == pytest.approx(expected, abs=1e-12)
    assert recorded["iou"][row] == pytest.approx(expected, abs=1e-12)


def test_all_true_boxes(recorded):
    """Row 1 lies in the cut margin: (0, 0, 10, 11.56) of a photo of 250 x 289.

    10 * 256 / 250 - 16 = 11.56 * 256 / 289 - 16 = -5.76; it comes out inverted.
    """
    rows = recorded["gt_transform"]
    ours = np.concatenate(
        [
            CropFrame((width, height), (256, 256), CROP).original_to_crop([box])
            for width, height, *box in rows[:, :6]
        ]
    )
    assert ours.shape == (50, 4)
    np.testing.assert_allclose(ours, rows[:, 6:], rtol=0, atol=1e-10)
    np.testing.assert_allclose(ours[1], [0, 0, -5.76, -5.76], rtol=0, atol=1e-10)
