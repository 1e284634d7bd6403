"""TFLite files: built-in operators, outputs by name, the Keras model's answers."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from bas_tf import names
from bas_tf.errors import UserError
from bas_tf.export.evaluation import verification
from bas_tf.export.litert import conversion, file_document
from bas_tf.jobs import evaluation, experiment
from bas_tf.refinement import refined_boxes
from bas_tf.runners import tflite_document
from tests.export.conftest import assert_boxes_of_hard_images

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def files(demo_workdir, localizer_files, tmp_path_factory) -> dict:
    """{quantization: path} of all four; the demo wrote two of them."""
    output, others = tmp_path_factory.mktemp("tflite"), ("float16", "dynamic")
    more = conversion.export_tflite(demo_workdir, output, list(others))
    return localizer_files | dict(zip(others, more, strict=True))


@pytest.fixture(scope="module")
def outputs(files, keras_reference) -> dict:
    """{quantization: what the evaluator sees of each test image}."""
    return {
        quantization: experiment.load_runner(path).predict_fn(keras_reference.crops)
        for quantization, path in files.items()
    }


def operators(path) -> dict[str, str | None]:
    """{built-in operator: custom name} of a file."""
    model = schema.Model.GetRootAs(path.read_bytes())
    known = {v: k for k, v in vars(schema.BuiltinOperator).items() if k.isupper()}
    codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
    return {known[code.BuiltinCode()]: code.CustomCode() for code in codes}


@pytest.mark.parametrize("quantization", conversion.QUANTIZATIONS)
def test_operators_are_built_in(files, quantization):
    found = operators(files[quantization])
    assert {"CONV_2D", "RESIZE_BILINEAR", "WHILE"} <= set(found)
    assert "CUSTOM" not in found and "DELEGATE" not in found
    assert set(found.values()) == {None}  # Flex operators have a custom name


@pytest.mark.parametrize("quantization", conversion.QUANTIZATIONS)
def test_the_signature_names_input_and_outputs(files, quantization):
    interpreter = Interpreter(model_path=str(files[quantization]))
    run = interpreter.get_signature_runner("serving_default")
    (image,) = run.get_input_details().values()
    assert list(run.get_input_details()) == [names.IMAGES]
    assert image["shape"].tolist() == [1, 64, 64, 3] and image["dtype"] == np.uint8
    found = run(images=np.full([1, 64, 64, 3], 90, np.uint8))
    shapes = {key: (value.shape, value.dtype) for key, value in found.items()}
    assert shapes == {
        names.CLASS_IDS: ((1, 5), np.int32),
        names.SCORES: ((1, 5), np.float32),
        names.BOXES: ((1, 4), np.float32),
        names.DEGENERATE: ((1,), np.bool_),
        names.LOCALIZATION_MAP: ((1, 8, 8, 1), np.float32),
    }


def test_float32_gives_kerass_boxes_classes_and_maps(outputs, keras_reference):
    keras_reference.assert_equal_in(outputs["none"], map_atol=1e-5)


@pytest.mark.parametrize(
    "quantization, atol", [("float16", 2e-3), ("dynamic", 2e-2), ("int8", 2e-2)]
)
def test_quantized_maps_stay_near(outputs, keras_reference, quantization, atol):
    """Where both name the same class: a map is of the class that is named.

    The quick demo hardly trains, so its classes are close: rounding may name another
    one only where the best two scores are nearer than the tolerance.
    """
    ours, expected = outputs[quantization], keras_reference.outputs
    same = ours[names.SCORES].argmax(axis=1) == expected[names.SCORES].argmax(axis=1)
    second, best = np.sort(expected[names.SCORES], axis=1)[:, -2:].T
    assert (best - second)[~same].max(initial=0.0) < atol
    assert same.sum() >= 16  # of 32
    np.testing.assert_allclose(
        ours[names.LOCALIZATION_MAP][same],
        expected[names.LOCALIZATION_MAP][same],
        atol=atol,
    )


def test_quantized_files_are_smaller(files):
    size = {key: path.stat().st_size for key, path in files.items()}
    assert size["none"] > size["float16"] > size["int8"]
    assert size["float16"] > size["dynamic"]


@pytest.mark.parametrize("quantization", conversion.QUANTIZATIONS)
def test_frames_without_an_object_get_a_finite_box(files, hard_images, quantization):
    runner = experiment.load_runner(files[quantization])
    assert_boxes_of_hard_images(runner.predict_fn(hard_images))


def test_labels_lie_next_to_the_files(files, demo_workdir):
    expected = experiment.load_experiment(demo_workdir).class_names
    for path in files.values():
        assert tuple((path.parent / "labels.txt").read_text().split()) == expected


def run_file(path, images, **inputs):
    """Outputs by name of images one by one; further inputs are lists of their items."""
    interpreter = Interpreter(model_path=str(path))
    run = interpreter.get_signature_runner("serving_default")
    found = [
        run(images=images[i : i + 1], **{k: v[i : i + 1] for k, v in inputs.items()})
        for i in range(len(images))
    ]
    return {key: np.concatenate([one[key] for one in found]) for key in found[0]}


def test_the_map_and_box_of_a_given_class(
    given_class_files, keras_reference, keras_runner
):
    """Every class in turn, predicted or not."""
    crops, class_ids = keras_reference.crops[:8], np.arange(8, dtype=np.int32)
    expected = keras_runner.label_fn(crops, class_ids)
    for quantization, atol in (("none", 1e-5), ("int8", 0.1)):
        found = run_file(given_class_files[quantization], crops, class_ids=class_ids)
        assert set(found) == {names.BOXES, names.DEGENERATE, names.LOCALIZATION_MAP}
        maps = found[names.LOCALIZATION_MAP][..., 0]
        np.testing.assert_allclose(maps, expected[names.LABEL_MAP], atol=atol)
        if quantization == "none":
            boxes = expected[names.LABEL_BOXES]
            np.testing.assert_allclose(found[names.BOXES], boxes, atol=1)


def test_a_file_of_a_given_class_is_evaluated_by_the_labels(
    given_class_files, demo_workdir
):
    """It has every figure that needs no given class, with Keras's values."""
    config = experiment.load_experiment(demo_workdir).config
    path = given_class_files["none"]
    found, keras = (
        evaluation.evaluate_model(str(model), config, split="test").document["metrics"]
        for model in (path, demo_workdir)
    )
    for key in ("gt_known_loc", "gt_known_loc@0.3", "mean_iou"):
        assert found[key] == pytest.approx(keras[key], abs=1 / 32)
    assert not [
        k for k in found if "centre" not in k and ("top" in k or "predicted" in k)
    ]
    config.eval.map_class = "predicted"
    with pytest.raises(UserError, match=f"{path.name}: .*eval.map_class=label"):
        evaluation.evaluate_model(str(path), config, split="test")


def test_without_boxes_the_maps_and_classes_are_the_same(
    demo_workdir, keras_reference, tmp_path
):
    (path,) = conversion.export_tflite(
        demo_workdir, tmp_path, ["none"], variants=("no_boxes",)
    )
    assert path.name == "no_boxes_float32.tflite"
    found = run_file(path, keras_reference.crops)
    assert set(found) == {names.CLASS_IDS, names.SCORES, names.LOCALIZATION_MAP}
    np.testing.assert_allclose(
        found[names.LOCALIZATION_MAP][..., 0],
        keras_reference.outputs[names.LOCALIZATION_MAP],
        atol=1e-5,
    )
    assert "WHILE" not in operators(path)


@pytest.mark.parametrize(
    "quantization, input_type", [("none", "float32"), ("int8", "int8")]
)
def test_other_inputs_give_the_very_same(
    localizer_files, demo_workdir, keras_reference, tmp_path, quantization, input_type
):
    """They are made pixels first, whatever the layers are rounded to."""
    crops = keras_reference.crops
    (path,) = conversion.export_tflite(
        demo_workdir, tmp_path, [quantization], input_type=input_type
    )
    assert path.name.endswith(f"_{input_type}_input.tflite")
    image = tflite_document.read_tflite_document(path)["inputs"][names.IMAGES]
    value, value_range = file_document.PIXELS[input_type]
    assert (image["dtype"], image["range"]) == (input_type, value_range)
    assert image["meaning"].startswith(f"RGB image: {value}, ")
    sent = {"int8": crops.astype(np.int16) - 128, "float32": crops + 0.3}[input_type]
    found = run_file(path, sent.astype(input_type))
    expected = run_file(localizer_files[quantization], crops)
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.fixture(scope="module")
def refined_files(demo_workdir, tmp_path_factory) -> list:
    """The float32 files, full and of a given class, whose boxes PAMR refines."""
    return conversion.export_tflite(
        demo_workdir, tmp_path_factory.mktemp("refined"), ["none"],
        variants=("full", "given_class"), refine="pamr",
    )  # fmt: skip


def test_a_refined_file_has_the_boxes_of_keras_refined(
    refined_files, keras_reference, keras_runner
):
    keras = refined_boxes.refined_runner(keras_runner, "pamr")
    crops, labels = keras_reference.crops, np.arange(32) % 8
    expected = keras.label_fn(crops, labels)
    assert (expected[names.BOXES] != keras_reference.outputs[names.BOXES]).any()
    full, given_class = (experiment.load_runner(path) for path in refined_files)
    assert full.refine == given_class.refine == "pamr"
    found = full.predict_fn(crops) | given_class.label_fn(crops, labels)
    for key in (names.BOXES, names.LABEL_BOXES):
        np.testing.assert_allclose(found[key], expected[key], atol=1)
    own = keras_reference.outputs[names.LOCALIZATION_MAP]
    np.testing.assert_allclose(found[names.LOCALIZATION_MAP], own, atol=1e-5)
    assert refined_files[0].name == "localizer_float32_pamr.tflite"
    assert "CUSTOM" not in operators(refined_files[0])


def test_a_refined_file_is_evaluated_next_to_keras_refined(
    refined_files, localizer_files, demo_workdir
):
    config = experiment.load_experiment(demo_workdir).config
    config.eval.map_class = "predicted"
    found = evaluation.evaluate_model(str(refined_files[0]), config, split="test")
    config.eval.refine = "pamr"
    keras = evaluation.evaluate_model(str(demo_workdir), config, split="test")
    assert found.document["refine"] == keras.document["refine"] == "pamr"
    difference = np.abs(found.predictions.boxes - keras.predictions.boxes).max()
    assert difference <= 1
    artifacts = {"refined": refined_files[0], "plain": localizer_files["none"]}
    assert verification.by_refinement(artifacts) == {
        "none": {"plain": localizer_files["none"]},
        "pamr": {"refined": refined_files[0]},
    }


def test_what_cannot_be_refined_writes_nothing(demo_workdir, tmp_path):
    with pytest.raises(UserError, match="--refine=pamr: files of --no_boxes have no b"):
        conversion.export_tflite(
            demo_workdir, tmp_path / "out", ["none"], variants=("no_boxes",),
            refine="pamr",
        )  # fmt: skip
    assert not (tmp_path / "out").exists()
