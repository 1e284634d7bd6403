"""TFLite files that take frames of any size."""

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from PIL import Image
from tensorflow.lite.tools import flatbuffer_utils

from bas_tf import names, runners
from bas_tf.errors import UserError
from bas_tf.export.litert import any_size, chain, conversion
from bas_tf.jobs import experiment
from bas_tf.runners import tflite_document
from export.edge.edge_localizer import EdgeLocalizer

QUANTIZATIONS = ("none", "int8")
SIZES_WH = ((1920, 1080), (1, 1), (64, 64), (37, 90), (1000, 3))


def noise(size_wh, seed=0) -> np.ndarray:
    width, height = size_wh
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, [height, width, 3], dtype=np.uint8)


@pytest.mark.parametrize("size_wh", SIZES_WH)
@pytest.mark.parametrize("wanted_hw", [(64, 64), (32, 96)])
def test_resizing_is_tensorflows_and_pillows_within_a_level(size_wh, wanted_hw):
    frame = noise(size_wh)
    found = any_size.resized_pixels(tf.constant(frame[np.newaxis]), wanted_hw)[0]
    expected = tf.image.resize(frame, wanted_hw, antialias=True)
    # Half a level of rounding, and what float32 leaves of sums of 1,920 pixels.
    np.testing.assert_allclose(found, expected, atol=0.51)
    pillows = Image.fromarray(frame).resize(wanted_hw[::-1], Image.BILINEAR)
    np.testing.assert_allclose(found, np.asarray(pillows, np.float32), atol=1)


@pytest.fixture(scope="module")
def paths(demo_workdir, tmp_path_factory) -> dict:
    """{quantization: path} of files of any size."""
    written = conversion.export_tflite(
        demo_workdir,
        tmp_path_factory.mktemp("any_size"),
        list(QUANTIZATIONS),
        variants=("any_size",),
    )
    assert [path.name for path in written] == [
        "localizer_any_size_float32.tflite",
        "localizer_any_size_int8.tflite",
    ]
    return dict(zip(QUANTIZATIONS, written, strict=True))


def signature(path):
    return Interpreter(model_path=str(path)).get_signature_runner(names.SIGNATURE)


@pytest.mark.slow
@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_at_the_networks_size_it_is_the_other_file_to_the_bit(
    paths, localizer_files, keras_reference, quantization
):
    ours, other = (
        signature(paths[quantization]),
        signature(localizer_files[quantization]),
    )
    for crop in keras_reference.crops:
        found, expected = ours(images=crop[None]), other(images=crop[None])
        assert set(found) == set(expected)
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("size_wh", SIZES_WH)
def test_boxes_are_in_pixels_of_the_frame(paths, localizer_files, size_wh):
    """What the network's file finds in the resized frame, scaled back.

    Of float32: the pixel of 100,000 that is rounded otherwise moves a box of int8,
    where this demo's flat maps are a few levels.
    """
    frame = noise(size_wh, seed=1)
    resized = any_size.resized_pixels(tf.constant(frame[None]), (64, 64)).numpy()
    expected = signature(localizer_files["none"])(images=resized)
    found = signature(paths["none"])(images=frame[None])
    np.testing.assert_array_equal(found[names.CLASS_IDS], expected[names.CLASS_IDS])
    scale = np.tile(size_wh, 2) / 64
    np.testing.assert_allclose(
        found[names.BOXES], expected[names.BOXES] * scale, rtol=1e-6
    )
    x0, y0, x1, y1 = found[names.BOXES][0]
    assert 0 <= x0 < x1 <= size_wh[0] and 0 <= y0 < y1 <= size_wh[1]


@pytest.mark.slow
@pytest.mark.parametrize("size_wh", SIZES_WH)
@pytest.mark.parametrize("kind", ["noise", "black", "white"])
def test_every_frame_gets_a_box_within_it(paths, kind, size_wh):
    frame = {"noise": noise(size_wh), "black": 0, "white": 255}[kind]
    width, height = size_wh
    images = np.broadcast_to(np.uint8(frame), [1, height, width, 3])
    x0, y0, x1, y1 = signature(paths["int8"])(images=images)[names.BOXES][0]
    assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height


@pytest.mark.slow
def test_the_runners_take_any_size_too(paths, localizer_files, demo_workdir):
    """The evaluator's and the device's; the device's resizes with Pillow elsewhere."""
    runner = runners.load_tflite(paths["int8"])
    assert runner.input_size_wh is None
    frame = noise((300, 200), seed=2)
    (box,) = runner.predict_fn(frame[None])[names.BOXES]
    found = EdgeLocalizer(paths["int8"]).localize(frame)
    np.testing.assert_allclose(found.box, box)
    class_names = experiment.load_experiment(demo_workdir).class_names
    assert found.class_name in class_names


@pytest.mark.slow
def test_the_document_says_any_size_and_what_it_is_resized_to(paths):
    image = tflite_document.read_tflite_document(paths["int8"])["inputs"][names.IMAGES]
    assert image["shape"] == [1, -1, -1, 3]
    assert (image["width"], image["height"]) == (64, 64)
    assert "it is resized and scaled inside the graph" in image["meaning"]


def test_frames_of_any_size_are_uint8(tmp_path):
    with pytest.raises(UserError, match="--input_type=int8: frames of --any_size are"):
        conversion.export_tflite(
            tmp_path, tmp_path, ["none"], variants=("any_size",), input_type="int8"
        )


def test_two_models_with_loops_are_not_chained():
    spec = tf.TensorSpec([1, 4], tf.float32, name=names.BOXES)

    @tf.function(input_signature=[spec], autograph=False)
    def halve_until_small(boxes):
        (small,) = tf.while_loop(
            lambda x: tf.reduce_max(x) > 1.0, lambda x: [x / 2], [boxes]
        )
        return {names.BOXES: small}

    content = conversion.convert(halve_until_small, ["none"])["none"]
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    with pytest.raises(ValueError, match="both models have subgraphs"):
        chain.chained(model, model, {names.BOXES: names.BOXES})
