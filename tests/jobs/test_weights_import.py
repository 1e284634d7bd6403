"""Imports from file to file, and the command's answers to mistakes."""

import json
import os
import pickle

import h5py
import keras
import numpy as np
import pytest

from bas_tf import names
from bas_tf.jobs.weights_import import run_import
from bas_tf.models.localizer import build_localizer
from bas_tf.models.weights import bas_official, weights_file
from bas_tf.models.weights.assign import assign_weights
from tests.commands import only_error_line
from tests.models.weights import torch_checkpoints
from tests.models.weights.legacy_torch import legacy_file
from tests.models.weights.torch_checkpoints import (
    assert_holds,
    checkpoint,
    random_state,
    reference_shapes,
)
from tests.models.weights.zip_torch import both_formats, zip_file

CLASSIFIER = "localizer/backbone/head/classifier"


def build(seed=0):
    """What the command builds for --num_classes=3 --width=0.25."""
    keras.utils.set_random_seed(seed)
    return build_localizer(
        backbone="mobilenet_v1",
        num_classes=3,
        input_size_wh=(64, 64),
        backbone_options={"width": 0.25},
    )


def narrow_state(num_classes=3):
    localizer = torch_checkpoints.build(
        num_classes=num_classes, hidden=1024, width=0.25
    )
    shapes = reference_shapes(localizer)
    return random_state(shapes, np.random.default_rng(0))


@pytest.fixture(scope="module")
def state():
    return narrow_state()


@pytest.fixture(scope="module")
def of_five_classes():
    return narrow_state(num_classes=5)


@pytest.fixture(scope="module")
def file(state, tmp_path_factory):
    """A checkpoint for three classes, as a training run on two cards saves it."""
    path = tmp_path_factory.mktemp("checkpoints") / "good.pth"
    path.write_bytes(checkpoint(state, legacy_file, "module."))
    return path


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out.weights.h5"


@pytest.fixture
def imported(command, output):
    """Runs the command; returns its exit code and what it printed on both streams."""

    def run(**values):
        values = {
            "source": "bas_official",
            "backbone": "mobilenet_v1",
            "num_classes": 3,
            "width": 0.25,
            "output": output,
        } | values
        args = [f"--{name}={v}" for name, v in values.items() if v is not None]
        return command("bas_tf.import_weights", *args)

    return run


@pytest.fixture
def refused(imported, output):
    """Runs the command, which must exit 2 and write nothing; returns its one line."""

    def run(**values):
        code, out, err = imported(**values)
        assert code == 2 and out == "", err
        assert not output.exists() and not list(output.parent.glob(".*"))
        return only_error_line(err).removeprefix("error: ")

    return run


@pytest.mark.slow
def test_a_checkpoint_becomes_a_weights_file(state, file, output, imported, rng):
    """27 convolutions with BatchNorm and 4 with bias: 27 * 5 + 8 arrays, 27 counters.

    Another localizer that loads the file answers bit for bit as one that took the
    checkpoint itself.
    """
    code, out, err = imported(checkpoint=file)
    assert (code, err) == (0, "")
    assert out == (
        f"{output}: 143 arrays taken, 27 ignored on purpose, 0 variables left fresh\n"
    )
    loaded, direct = build(1), build(2)
    weights_file.load(loaded, output)
    assert assert_holds(loaded, state) == 143
    assign_weights(direct, bas_official.read(direct, file))
    images = rng.integers(0, 256, [2, 64, 64, 3]).astype(np.uint8)
    ours, expected = loaded(images), direct(images)
    for key in (names.FEATURES, names.CLASS_MAPS, names.LOGITS, names.LOCALIZATION_MAP):
        np.testing.assert_array_equal(ours[key], expected[key])
        assert np.ptp(expected[key]) > 0


def test_the_outcome_is_returned_and_the_origin_recorded(file, output):
    outcome = run_import(
        source="bas_official",
        backbone="mobilenet_v1",
        num_classes=3,
        checkpoint=str(file),
        output=output,
        width=0.25,
    )
    assert len(outcome.assigned) == 143 and outcome.fresh == outcome.unmatched == ()
    with h5py.File(output) as written:
        origin = json.loads(written.attrs[weights_file.ATTRIBUTE])
    assert origin["source"] == f"bas_official {file}"


@pytest.mark.slow
def test_a_partial_import_says_what_is_fresh_and_what_did_not_match(
    of_five_classes, tmp_path, output, imported
):
    """Three classes from a file of five: class maps and generator stay fresh."""
    state, path = of_five_classes, tmp_path / "five.pth"
    path.write_bytes(checkpoint(state | {"extra.w": np.zeros(1)}, zip_file))
    code, out, err = imported(checkpoint=path, partial=True)
    assert (code, err) == (0, "")
    fresh = [
        f"{layer}/{leaf}"
        for layer in (f"{CLASSIFIER}/class_maps", "localizer/foreground_generator")
        for leaf in ("kernel", "bias")
    ]
    assert out.splitlines() == [
        f"{output}: 139 arrays taken, 27 ignored on purpose, 4 variables left fresh",
        *(f"  fresh: {path}" for path in fresh),
        "  unmatched, the file has and the model lacks: extra.w",
        "  unmatched, shapes differ: "
        "classifier_cls.4.weight (1x1x1024x5 in the file, 1x1x1024x3 in the model), "
        "classifier_cls.4.bias (5 in the file, 3 in the model), "
        "classifier_loc.0.weight (3x3x128x5 in the file, 3x3x128x3 in the model), "
        "classifier_loc.0.bias (5 in the file, 3 in the model)",
    ]
    localizer = build()
    weights_file.load(localizer, output)
    misfits = "classifier_cls.4.", "classifier_loc.0."
    taken = {n: a for n, a in state.items() if not n.startswith(misfits)}
    assert assert_holds(localizer, taken) == 139


def test_another_number_of_classes(of_five_classes, tmp_path, refused):
    path = tmp_path / "five.pth"
    path.write_bytes(checkpoint(of_five_classes, zip_file))
    line = refused(checkpoint=path)
    assert line.startswith(
        f"{path}: shapes differ: classifier_cls.4.weight (1x1x1024x5"
    )
    assert line.endswith("; the file is for 5 classes, the model for 3")


class Foreign:
    """Whose pickle calls os.system."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@both_formats
def test_a_pickle_with_a_foreign_class(tmp_path, refused, written):
    witness, path = tmp_path / "witness", tmp_path / "hostile.pth"
    hostile = {"state_dict": {}, "epoch": Foreign(f"touch {witness}")}
    path.write_bytes(written({}, pickle.dumps(hostile, protocol=2)))
    line = refused(checkpoint=path, partial=True)
    assert line.startswith(f"{path}: refuses to load {os.system.__module__}.system; ")
    assert not witness.exists()


def test_files_that_are_no_checkpoint(tmp_path, refused):
    lost, text = tmp_path / "lost.pth", tmp_path / "text.pth"
    text.write_text("<html>404</html>")
    assert refused(checkpoint=lost) == f"{lost}: No such file or directory"
    assert refused(checkpoint=tmp_path) == f"{tmp_path}: Is a directory"
    assert refused(checkpoint=text).startswith(f"{text}: not a readable torch file (")


SOURCES = "bas_official, torchvision, keras_applications, efficientnet_lite"
BACKBONES = "efficientnet_lite0, inception_v3, mobilenet_v1, resnet50, vgg16"


@pytest.mark.parametrize(
    "values, line",
    [
        ({"source": None}, "--source is missing"),
        ({"backbone": None}, "--backbone is missing"),
        ({"num_classes": None}, "--num_classes is missing"),
        ({"output": None}, "--output is missing"),
        ({"source": "timm"}, f"--source=timm: unknown; known: {SOURCES}"),
        ({"backbone": "vgg19"}, f"--backbone=vgg19: unknown; known: {BACKBONES}"),
        ({"num_classes": 0}, "--num_classes=0: must be at least 1"),
        ({}, "--checkpoint is missing; --source=bas_official reads a file"),
        (
            {"source": "torchvision"},
            "--checkpoint is missing; --source=torchvision reads a file",
        ),
        ({"width": 0, "checkpoint": "a.pth"}, "--width=0.0: must be above 0"),
        (
            {"backbone": "vgg16", "width": 0.5, "checkpoint": "a.pth"},
            "--width=0.5: vgg16 has no width",
        ),
        (
            {"source": "torchvision", "checkpoint": "a.pth"},
            "--backbone=mobilenet_v1: torchvision has weights for vgg16, resnet50, "
            "inception_v3",
        ),
        (
            {"backbone": "efficientnet_lite0", "width": None, "checkpoint": "a.pth"},
            "--backbone=efficientnet_lite0: bas_official has weights for vgg16, "
            "resnet50, mobilenet_v1, inception_v3",
        ),
        (
            {"source": "efficientnet_lite"},
            "--backbone=mobilenet_v1: efficientnet_lite has weights for "
            "efficientnet_lite0",
        ),
    ],
)
def test_mistakes_in_flags(refused, values, line):
    assert refused(**values) == line


def test_a_number_that_is_none(refused):
    line = refused(num_classes="many", checkpoint="a.pth")
    assert "flag --num_classes=many: " in line


def test_another_suffix(tmp_path, file, refused):
    path = tmp_path / "out.h5"
    assert refused(output=path, checkpoint=file) == (
        f"{path}: the name of a weights file must end in .weights.h5"
    )
    assert not path.exists()
