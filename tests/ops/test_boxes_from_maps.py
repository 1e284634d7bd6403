"""Boxes in the graph, in TensorFlow and in LiteRT, against a second rule."""

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from bas_tf import names
from bas_tf.geometry.components import box_from_map
from bas_tf.ops.boxes_from_maps import boxes_from_maps
from bas_tf.ops.score_maps import normalize_min_max, resize_bilinear
from tests.geometry.hard_maps import hard_maps, scipy_box

SIZE = 48


def twin(maps: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """The rule after its resize, map by map: [batch, h, w, 1] maps."""
    found = [scipy_box(m > np.float32(threshold)) for m in maps[..., 0]]
    whole = (0, 0, maps.shape[2], maps.shape[1])
    boxes = np.array([whole if b is None else b for b in found], np.float32)
    return boxes, np.array([b is None for b in found])


def assert_equals_twin(outputs, maps, threshold):
    boxes, degenerate = twin(maps, threshold)
    np.testing.assert_array_equal(outputs[names.BOXES], boxes)
    np.testing.assert_array_equal(outputs[names.DEGENERATE], degenerate)


def random_maps(rng, count: int, size: int) -> np.ndarray:
    """Speckle of many densities and smooth blobs: float32 [count, size, size, 1]."""
    speckle = rng.random([count // 2, size, size]) * rng.uniform(
        0.5, 2.0, [count // 2, 1, 1]
    )
    coarse = rng.random([count - count // 2, size // 8, size // 8, 1])
    smooth = resize_bilinear(tf.constant(coarse, tf.float32), (size, size))
    maps = np.concatenate([speckle[..., np.newaxis], smooth])
    return maps.astype(np.float32)


def convert(height: int, width: int, threshold: float, batch=1) -> Interpreter:
    """The op as a LiteRT file."""
    return converted(
        lambda maps: boxes_from_maps(maps, score_threshold=threshold),
        [batch, height, width, 1],
    )


def converted(function, shape) -> Interpreter:
    """As a LiteRT file of built-in operators, with one thread."""
    graph = tf.function(function, autograph=False)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [graph.get_concrete_function(tf.TensorSpec(shape, tf.float32))], graph
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    return Interpreter(model_content=converter.convert(), num_threads=1)


def run(interpreter: Interpreter, maps: np.ndarray) -> dict[str, np.ndarray]:
    source = interpreter.get_input_details()[0]
    if tuple(source["shape"]) != maps.shape:
        interpreter.resize_tensor_input(source["index"], maps.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(source["index"], maps)
    interpreter.invoke()
    outputs = [
        interpreter.get_tensor(detail["index"])
        for detail in interpreter.get_output_details()
    ]
    return {
        names.BOXES if output.ndim == 2 else names.DEGENERATE: output
        for output in outputs
    }


def test_a_map_by_hand():
    # Row 0: one pixel; rows 1-2: an L of three pixels that touches it by a corner
    # only; row 3: two pixels apart from the rest. The four-pixel component wins.
    maps = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]])
    maps = np.concatenate([maps, [[1, 1, 0, 0]]]).astype(np.float32)
    outputs = boxes_from_maps(maps[np.newaxis, ..., np.newaxis], score_threshold=0.5)
    np.testing.assert_array_equal(outputs[names.BOXES], [[0, 0, 3, 3]])
    np.testing.assert_array_equal(outputs[names.DEGENERATE], [False])


def test_the_threshold_is_strict_and_nan_is_background():
    maps = np.array([[0.5, 0.6, np.nan, 0.7, 0.8]], np.float32)[np.newaxis, ..., None]
    outputs = boxes_from_maps(maps, score_threshold=0.5)
    np.testing.assert_array_equal(outputs[names.BOXES], [[3, 0, 5, 1]])


def test_a_tie_goes_to_the_first_in_raster_order():
    maps = np.zeros([1, 6, 9, 1], np.float32)
    maps[0, 2:5, 0:3] = 1.0
    maps[0, 1:4, 5:8] = 1.0
    outputs = boxes_from_maps(maps, score_threshold=0.5)
    np.testing.assert_array_equal(outputs[names.BOXES], [[5, 1, 8, 4]])


def test_random_maps_equal_the_twin(rng):
    maps = random_maps(rng, 200, SIZE)
    for threshold in (0.0, 0.3, 0.5, 0.9):
        outputs = boxes_from_maps(maps, score_threshold=threshold)
        assert_equals_twin(outputs, maps, threshold)


@pytest.mark.parametrize("size", [1, 2, 5, 31, 224])
def test_hard_maps_equal_the_twin(size):
    maps = np.stack(list(hard_maps(size).values()))[..., np.newaxis]
    assert_equals_twin(boxes_from_maps(maps, score_threshold=0.5), maps, 0.5)


def test_images_of_a_batch_do_not_touch(rng):
    maps = random_maps(rng, 12, SIZE)
    maps[1::2, :] = 1.0  # every other image is full to its borders
    together = boxes_from_maps(maps, score_threshold=0.7)
    for i in range(len(maps)):
        alone = boxes_from_maps(maps[i : i + 1], score_threshold=0.7)
        np.testing.assert_array_equal(together[names.BOXES][i], alone[names.BOXES][0])


def test_an_empty_batch_gives_no_box():
    outputs = boxes_from_maps(tf.zeros([0, 5, 5, 1]), score_threshold=0.5)
    assert outputs[names.BOXES].shape == (0, 4)
    assert outputs[names.DEGENERATE].shape == (0,)


def test_dynamic_batch_in_tf_function_and_in_tf_data(rng):
    maps = random_maps(rng, 7, SIZE)

    @tf.function(input_signature=[tf.TensorSpec([None, SIZE, SIZE, 1])])
    def box(batch):
        return boxes_from_maps(batch, score_threshold=0.5)

    assert_equals_twin(box(maps), maps, 0.5)
    dataset = tf.data.Dataset.from_tensor_slices(maps).batch(3).map(box)
    boxes = np.concatenate([batch[names.BOXES] for batch in dataset])
    np.testing.assert_array_equal(boxes, twin(maps, 0.5)[0])


def test_litert_equals_the_twin(rng):
    interpreter = convert(SIZE, SIZE, 0.5)
    hard = np.stack(list(hard_maps(SIZE).values()))[..., np.newaxis]
    for one in np.concatenate([random_maps(rng, 200, SIZE), hard])[:, np.newaxis]:
        assert_equals_twin(run(interpreter, one), one, 0.5)


@pytest.mark.slow
def test_litert_equals_the_twin_on_ten_thousand_maps(rng):
    """Speckle, blobs, and the hard maps with pixels flipped, so with ties and turns."""
    interpreter = convert(SIZE, SIZE, 0.5)
    hard = np.stack(list(hard_maps(SIZE).values()))[..., np.newaxis]
    flips = rng.random([4000, SIZE, SIZE, 1]) < rng.uniform(0, 0.05, [4000, 1, 1, 1])
    picked = hard[rng.integers(len(hard), size=4000)]
    flipped = np.where(flips, 1 - picked, picked)
    maps = np.concatenate([random_maps(rng, 6000, SIZE), flipped.astype(np.float32)])
    assert len(maps) == 10_000
    for one in maps[:, np.newaxis]:
        assert_equals_twin(run(interpreter, one), one, 0.5)


def test_litert_is_exact_at_full_size():
    interpreter = convert(224, 224, 0.5)
    for one in hard_maps(224).values():
        one = one[np.newaxis, ..., np.newaxis]
        assert_equals_twin(run(interpreter, one), one, 0.5)


def test_litert_takes_other_batches(rng):
    interpreter = convert(16, 24, 0.6, batch=None)
    maps = random_maps(rng, 6, 24)[:, :16]
    for count in (1, 3, 6):
        assert_equals_twin(run(interpreter, maps[:count]), maps[:count], 0.6)


def test_the_whole_rule_equals_its_twin_in_litert(rng):
    def box(maps):
        resized = resize_bilinear(normalize_min_max(maps), (56, 56))
        return boxes_from_maps(resized, score_threshold=0.5)

    interpreter = converted(box, [1, 7, 7, 1])
    maps = rng.random([30, 1, 7, 7, 1]).astype(np.float32)
    maps[0], maps[1], maps[2, 0, 3, 3] = 0.4, np.nan, np.nan
    for one in maps:
        expected, degenerate = box_from_map(
            one[0, ..., 0], crop_size_wh=(56, 56), score_threshold=0.5
        )
        outputs = run(interpreter, one)
        np.testing.assert_array_equal(outputs[names.BOXES], [expected])
        np.testing.assert_array_equal(outputs[names.DEGENERATE], [degenerate])
