"""Files that cannot be run are refused by name."""

import json
import shutil
import zipfile

import numpy as np
import pytest

from bas_tf import names, runners
from bas_tf.errors import UserError
from bas_tf.jobs import experiment
from bas_tf.runners.runner import evaluated_outputs


@pytest.fixture
def exported(demo_workdir, tmp_path):
    """A copy of the demo's exported files, to be broken."""
    return shutil.copytree(demo_workdir / "export", tmp_path / "export")


def test_nothing_there(tmp_path):
    for path in (tmp_path, tmp_path / "lost"):
        with pytest.raises(UserError, match=f"--model={path}: neither a training"):
            experiment.load_runner(path)
    with pytest.raises(UserError, match=f"{tmp_path}/lost.tflite: no such file"):
        experiment.load_runner(tmp_path / "lost.tflite")
    with pytest.raises(UserError, match=f"{tmp_path}: not a SavedModel"):
        runners.load_saved_model(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kept", [0, 7, 100, 0.5, 0.99, -1])
def test_a_truncated_tflite_file(exported, kept):
    path = exported / "localizer_float32.tflite"
    content = path.read_bytes()
    path.write_bytes(
        content[: kept if isinstance(kept, int) else int(kept * len(content))]
    )
    with pytest.raises(UserError, match=f"{path}: not a localizer's TFLite file"):
        experiment.load_runner(path)


@pytest.mark.slow
def test_the_labels_of_a_saved_model_are_missing(exported):
    labels = exported / "saved_model" / "assets" / "labels.txt"
    labels.unlink()
    with pytest.raises(UserError, match=f"{labels}: no such file"):
        experiment.load_runner(exported / "saved_model")


@pytest.mark.slow
def test_a_tflite_file_has_its_labels_inside(exported, demo_workdir):
    (exported / "labels.txt").write_text("other\nclasses\n")
    runner = experiment.load_runner(exported / "localizer_int8.tflite")
    expected = experiment.load_experiment(demo_workdir).class_names
    assert runner.class_names == expected and len(expected) == 8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "told"),
    [
        (".", None),
        ("export/saved_model", 5),
        ("export/localizer_float32.tflite", 5),
        ("export/localizer_int8.tflite", 5),
        ("export/localizer.onnx", 5),
    ],
)
def test_how_many_classes_are_scored(demo_workdir, file, told):
    """The demo has eight."""
    runner = experiment.load_runner(demo_workdir / file)
    assert runner.num_scored == told
    size = (1, *(runner.input_size_wh or (64, 64)), 3)
    images = np.random.default_rng(0).integers(0, 256, size).astype(np.uint8)
    assert np.count_nonzero(runner.scores(images)) == (told or 8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        (None, "it was cut off, or its labels and metadata were removed"),
        ({"labels.txt": "a\nb\n"}, "There is no item named 'bas_tf.json'"),
        ({"bas_tf.json": '{"format": "bas_tf localizer 1"}'}, "named 'labels.txt'"),
        ({"labels.txt": "a\n", "bas_tf.json": "{"}, "its metadata: Expecting"),
        ({"labels.txt": "a\n", "bas_tf.json": "[]"}, "is of format None, not 'bas_tf"),
        (
            {"labels.txt": "a\n", "bas_tf.json": '{"format": "bas_tf localizer 9"}'},
            "is of format 'bas_tf localizer 9', not 'bas_tf localizer 1'",
        ),
        (
            {"labels.txt": "", "bas_tf.json": '{"format": "bas_tf localizer 1"}'},
            "labels.txt and bas_tf.json in it name other classes",
        ),
    ],
)
def test_a_tflite_file_with_other_metadata_or_none(exported, inside, reason):
    path = exported / "localizer_int8.tflite"
    pack(path, inside)
    with pytest.raises(UserError, match=f"{path}: not a localizer's TFLite .*{reason}"):
        experiment.load_runner(path)


@pytest.mark.slow
def test_a_class_without_a_label_is_an_error_when_it_is_met(exported):
    """Two labels for eight classes: the best five always have one of the others."""
    path = exported / "localizer_float32.tflite"
    document = {"format": "bas_tf localizer 1", "class_names": ["a", "b"]}
    pack(path, {"labels.txt": "a\nb\n", "bas_tf.json": json.dumps(document)})
    runner = experiment.load_runner(path)
    with pytest.raises(
        UserError, match=f"{path}: its class [2-7] has no label, 2 have"
    ):
        runner.predict_fn(np.zeros([1, 64, 64, 3], np.uint8))


def pack(path, inside: dict[str, str] | None) -> None:
    """Puts other files behind a TFLite model, or none."""
    with zipfile.ZipFile(path) as archive:
        size = min(item.header_offset for item in archive.infolist())
    path.write_bytes(path.read_bytes()[:size])
    if inside is not None:
        with zipfile.ZipFile(path, "a") as archive:
            for name, text in inside.items():
                archive.writestr(name, text)


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["saved_model.pb", "variables"])
def test_a_broken_saved_model(exported, broken):
    folder = exported / "saved_model"
    if broken == "variables":
        shutil.rmtree(folder / broken)
    else:
        (folder / broken).write_bytes(b"nonsense")
    with pytest.raises(UserError, match=f"{folder}: not a SavedModel"):
        experiment.load_runner(folder)


def test_top_classes_spread_to_all_and_maps_lose_their_channel():
    outputs = {
        names.CLASS_IDS: np.array([[2, 0]], np.int32),
        names.SCORES: np.array([[0.7, 0.2]], np.float32),
        names.LOCALIZATION_MAP: np.ones([1, 3, 4, 1], np.float32),
        names.BOXES: np.array([[0, 0, 1, 1]], np.float32),
        names.DEGENERATE: np.array([[False]]),
    }
    evaluated = evaluated_outputs(outputs, 4)
    np.testing.assert_allclose(evaluated[names.SCORES], [[0.2, 0, 0.7, 0]])
    assert evaluated[names.LOCALIZATION_MAP].shape == (1, 3, 4)
    assert evaluated[names.DEGENERATE].shape == (1,)


def test_scores_come_from_the_classifier_alone_or_else_from_the_predict_fn():
    images, asked = np.zeros([2, 4, 4, 3], np.uint8), []

    def predict_fn(images):
        asked.append("predict_fn")
        return {names.SCORES: np.full([len(images), 1], 0.25, np.float32)}

    def scores_fn(images):
        asked.append("scores_fn")
        return np.full([len(images), 1], 0.75, np.float32)

    of_a_file = runners.Runner(predict_fn, ("cat",), None)
    np.testing.assert_array_equal(of_a_file.scores(images), [[0.25]] * 2)
    of_keras = runners.Runner(predict_fn, ("cat",), None, scores_fn)
    np.testing.assert_array_equal(of_keras.scores(images), [[0.75]] * 2)
    assert asked == ["predict_fn", "scores_fn"]
