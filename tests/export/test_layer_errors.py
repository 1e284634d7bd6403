"""Where an int8 file departs from its float32 one: sums, matching, the worst layer."""

import json
import math

import numpy as np
import pytest
import tensorflow as tf

from bas_tf import names
from bas_tf.export.litert import conversion, quantization_errors
from bas_tf.export.litert import operators as tflite_operators
from bas_tf.export.litert.operators import Operator, Tensor
from bas_tf.export.litert.quantization_errors import EXACT_DB
from bas_tf.jobs import experiment
from tests.commands import exit_code_in_process, only_error_line, run_command

LAYERS = ("first", "second", "third", "fourth")


def tensor(index: int, name: str, scale: float | None = None) -> Tensor:
    return Tensor(index, name, (1, 2), scale is None, scale, 0)


def test_signal_to_noise_and_relative_error_by_hand():
    """Signal 9 + 16, noise 1 + 0: 10 log10 25; rms sqrt(1 / 2) over a std of 1 / 2."""
    sums = quantization_errors.noise_sums(np.array([3.0, 4.0]), np.array([4.0, 4.0]))
    np.testing.assert_array_equal(sums, [2, 7, 25, 1])
    assert quantization_errors.signal_to_noise_db(sums) == pytest.approx(13.979400)
    assert quantization_errors.relative_error(sums) == pytest.approx(math.sqrt(2))
    more = quantization_errors.noise_sums(np.array([1.0]), np.array([1.0]))
    assert quantization_errors.signal_to_noise_db(sums + more) == pytest.approx(
        14.149733
    )


def test_exact_empty_and_constant_tensors():
    zeros, ones = np.zeros(3), np.ones(3)
    exact = quantization_errors.noise_sums(ones, ones)
    assert quantization_errors.signal_to_noise_db(exact) == math.inf
    assert quantization_errors.relative_error(exact) is None
    assert quantization_errors.signal_to_noise_db(
        quantization_errors.noise_sums(zeros, ones)
    ) == -math.inf  # fmt: skip


def test_tensors_are_matched_by_name():
    floating = [
        Operator("CONV_2D", (tensor(0, "image"),), (tensor(1, "conv"),)),
        Operator("ADD", (tensor(1, "conv"),), (tensor(2, "Call:1"),)),
    ]
    quantized = [
        Operator("CONV_2D", (tensor(0, "image", 1.0),), (tensor(4, "conv", 0.5),)),
        Operator("ADD", (tensor(4, "conv", 0.5),), (tensor(5, "Call:11", 0.1),)),
        Operator("DEQUANTIZE", (tensor(5, "Call:11", 0.1),), (tensor(6, "Call:1"),)),
        Operator("CONV_2D", (), (tensor(7, "other", 0.5),)),
    ]
    found = quantization_errors.matched_tensors(quantized, floating)
    assert {i: twin.name for i, (_, twin) in found.items()} == {4: "conv", 5: "Call:1"}


def test_a_layer_loses_what_its_worst_input_had_more():
    """40 dB, then 30; a cast that nobody measures hands the 30 on; then 25."""
    a, b, cast, c = (tensor(i, name, 0.1) for i, name in enumerate("abqc"))
    operators = [
        Operator("CONV_2D", (), (a,)),
        Operator("CONV_2D", (a,), (b,)),
        Operator("QUANTIZE", (b,), (cast,)),
        Operator("ADD", (a, cast), (c,)),
    ]
    noise = {a.index: 1e-4, b.index: 1e-3, c.index: 10**-2.5}
    sums = {i: np.array([1, 0, 1, n]) for i, n in noise.items()}
    rows = quantization_errors.layer_rows(operators, sums, dict.fromkeys(sums, 0.1))
    assert [row["tensor"] for row in rows] == ["a", "b", "c"]
    np.testing.assert_allclose([r["snr_db"] for r in rows], [40, 30, 25])
    np.testing.assert_allclose([r["lost_db"] for r in rows], [EXACT_DB - 40, 10, 5])
    worst = quantization_errors.worst_rows(rows, 2)
    assert [row["tensor"] for row in worst] == ["a", "b"]  # 8 and 10 dB, in order
    rows[2]["lost_db"] = None  # no signal where there should be none
    assert [r["tensor"] for r in quantization_errors.worst_rows(rows, 2)] == ["b", "c"]


def convolutions(bad: str):
    """Four 1x1 convolutions; what the bad one gives is huge for a white image alone."""
    rng = np.random.default_rng(0)
    kernels = {
        name: tf.constant(rng.normal(0, 0.5, [1, 1, 3, 3]), tf.float32)
        for name in LAYERS
    }

    def serve(images):
        x = images
        bright = tf.nn.relu(tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True) - 0.9)
        for name in LAYERS:
            with tf.name_scope(name):
                x = tf.nn.conv2d(x, kernels[name], 1, "SAME", name="conv")
                if name == bad:
                    x = tf.add(x, 1000 * bright, name="shifted")
            x = tf.tanh(x)
        return {names.LOCALIZATION_MAP: x}

    spec = tf.TensorSpec([1, 8, 8, 3], tf.float32, name=names.IMAGES)
    return tf.function(serve, input_signature=[spec])


@pytest.mark.slow
@pytest.mark.parametrize("bad", [LAYERS[0], LAYERS[2]])
def test_a_layer_of_huge_range_is_the_worst(bad):
    """Calibrated on one white image among noise, the layer has a step near 0.4."""
    crops = np.random.default_rng(1).uniform(-1, 1, [20, 8, 8, 3]).astype(np.float32)
    crops[0] = 1
    files = conversion.convert(convolutions(bad), ["none", "int8"], crops)
    examples = [{names.IMAGES: crop[np.newaxis]} for crop in crops[1:5]]
    rows = quantization_errors.measure(files["int8"], files["none"], examples)
    (worst,) = quantization_errors.worst_rows(rows, 1)
    assert tflite_operators.module_of(worst["tensor"]) == bad
    assert worst["lost_db"] > 10 and worst["scale"] > 0.3


@pytest.mark.slow
def test_the_demos_int8_file(demo_workdir, tmp_path):
    """In its own process: Keras numbers layers by what a process built before."""
    artifact = demo_workdir / "export" / "localizer_int8.tflite"
    output = tmp_path / "layers.json"
    command = (
        "export.layer_errors", f"--workdir={demo_workdir}",
        f"--artifact={artifact}", f"--output={output}",
    )  # fmt: skip
    done = run_command(*command)
    assert done.returncode == 0, done.stderr
    document = json.loads(output.read_text())
    rows = document["rows"]
    # Every convolution of the file is measured, and its scale is the file's own.
    operators = tflite_operators.read_operators(artifact.read_bytes())[0]
    convolutions = {
        o.outputs[0].name: o.outputs[0].scale
        for o in operators
        if o.kind in ("CONV_2D", "DEPTHWISE_CONV_2D")
    }
    found = {r["tensor"]: r["scale"] for r in rows}
    assert len(convolutions) > 20
    assert convolutions.items() <= found.items()
    assert all(0 < r["snr_db"] < 80 for r in rows if "CONV" in r["operator"])
    islands = document["float_islands"]
    assert islands["ADD_N"] == {"": 1}  # the nine taps of the map
    assert not {"CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D"} & set(islands)
    printed = done.stdout
    assert "\n   1 ADD_N\n" in printed.split("float islands:")[1]
    assert len(printed.split("\n\n")[0].splitlines()) == 1 + quantization_errors.WORST


@pytest.mark.slow
def test_a_float_file_is_refused(demo_workdir, tmp_path, monkeypatch, capsys):
    artifact = demo_workdir / "export" / "localizer_float32.tflite"
    code = exit_code_in_process(
        monkeypatch, "export.layer_errors", f"--workdir={demo_workdir}",
        f"--artifact={artifact}", f"--output={tmp_path / 'layers.json'}",
    )  # fmt: skip
    assert code == 2
    line = only_error_line(capsys.readouterr().err)
    assert f"--artifact={artifact}: its quantization is 'none'" in line
    assert not (tmp_path / "layers.json").exists()


@pytest.mark.slow
def test_the_float_file_is_of_the_same_variant(demo_workdir):
    loaded = experiment.load_experiment(demo_workdir)
    document = {
        "inputs": {names.IMAGES: {"dtype": "int8"}, names.CLASS_IDS: {}},
        "outputs": {names.BOXES: {}},
    }
    content = quantization_errors.float_file(loaded, document)
    kinds = [o.kind for o in tflite_operators.read_operators(content)[0]]
    assert "SOFTMAX" not in kinds and "BATCH_MATMUL" in kinds  # no classifier
