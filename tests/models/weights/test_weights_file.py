"""Weights files: bit for bit, whole or not at all, and only into the same network."""

import json
import resource

import h5py
import keras
import numpy as np
import pytest

from bas_tf import names
from bas_tf.errors import UserError
from bas_tf.models.weights import weights_file
from tests.training.narrow import narrow_localizer


def build(seed=0, width=0.125, hidden=8, **options):
    keras.utils.set_random_seed(seed)
    return narrow_localizer(
        **{
            "backbone": "mobilenet_v1",
            "classifier": {"width": hidden},
            "backbone_options": {"width": width},
            **options,
        }
    )


@pytest.fixture(scope="module")
def localizer():
    """Every variable random, the statistics and the input scaling too."""
    localizer, rng = build(), np.random.default_rng(0)
    for variable in localizer.variables:
        variable.assign(rng.uniform(0.5, 1.5, variable.shape) * (variable + 0.25))
    return localizer


@pytest.fixture(scope="module")
def other():
    """The same network with other values, to load into."""
    return build(seed=1)


@pytest.fixture
def path(localizer, tmp_path):
    path = tmp_path / "a.weights.h5"
    weights_file.save(localizer, path, source="a test")
    return path


def refused(localizer, path):
    """The one line of a failed load, which must leave the model as it was."""
    before = [v.numpy() for v in localizer.variables]
    with pytest.raises(UserError) as error:
        weights_file.load(localizer, path)
    for variable, value in zip(localizer.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    line = str(error.value)
    assert line.startswith(f"{path}: ") and "\n" not in line
    return line.removeprefix(f"{path}: ")


def test_everything_comes_back_bit_for_bit(localizer, path, rng):
    loaded = build(seed=1)
    weights_file.load(loaded, path)
    ours = {v.path: v.numpy() for v in loaded.variables}
    assert len(ours) == 27 * 5 + 8 + 2  # convolutions with norm, 4 with bias, scaling
    for variable in localizer.variables:
        np.testing.assert_array_equal(ours[variable.path], variable)
    images = rng.uniform(0, 255, [2, 64, 64, 3]).astype(np.float32)
    expected, outputs = localizer(images), loaded(images)
    for key in (names.FEATURES, names.LOGITS, names.LOCALIZATION_MAP):
        np.testing.assert_array_equal(outputs[key], expected[key])
    assert np.ptp(expected[names.FEATURES]) > 0


def test_the_origin_is_in_the_file(path):
    with h5py.File(path) as file:
        assert json.loads(file.attrs["bas_tf"]) == {
            "backbone": "mobilenet_v1",
            "variant": "paper",
            "num_classes": 3,
            "source": "a test",
        }


def test_folders_are_made_and_nothing_else_stays(localizer, tmp_path):
    weights_file.save(localizer, tmp_path / "new" / "b" / "a.weights.h5", source="")
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert files == [tmp_path / "new" / "b" / "a.weights.h5"]


@pytest.mark.parametrize("missing", [10, 100_000])
def test_a_full_disk_leaves_the_old_file(localizer, other, path, missing):
    """A limit on the size of files stands for it, some bytes short of the file.

    HDF5 must not run into it: it would leave a process that crashes later.
    """
    old = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(old) - missing, limits[1]))
    try:
        with pytest.raises(UserError) as error:
            weights_file.save(other, path, source="another test")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(error.value) == f"{path}: cannot be written (File too large)"
    assert path.read_bytes() == old
    assert list(path.parent.iterdir()) == [path]


def test_a_file_is_replaced(localizer, other, path):
    weights_file.save(other, path, source="another test")
    loaded = build(seed=2)
    weights_file.load(loaded, path)
    for variable, value in zip(loaded.variables, other.variables, strict=True):
        np.testing.assert_array_equal(variable, value)
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_in_the_way(localizer, tmp_path):
    path = tmp_path / "a.weights.h5"
    path.mkdir()
    with pytest.raises(UserError, match=f"^{path}: cannot be written .Is a directory"):
        weights_file.save(localizer, path, source="")
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_in_place_of_the_folder(localizer, tmp_path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "a.weights.h5"
    with pytest.raises(UserError, match=f"^{path}: cannot be written .*exists"):
        weights_file.save(localizer, path, source="")


@pytest.mark.parametrize("name", ["a.h5", "a.keras", "a.weights.h5.bak"])
def test_another_suffix(localizer, tmp_path, name):
    path = tmp_path / name
    with pytest.raises(UserError) as error:
        weights_file.save(localizer, path, source="")
    assert str(error.value) == (
        f"{path}: the name of a weights file must end in .weights.h5"
    )
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "options, line",
    [
        ({"num_classes": 5}, "has num_classes 3, the model has 5"),
        (
            {"backbone_options": {"width": 0.125, "variant": "keras"}},
            "has variant paper, the model has keras",
        ),
        (
            {"backbone": "efficientnet_lite0", "backbone_options": {}},
            "has backbone mobilenet_v1, the model has efficientnet_lite0",
        ),
    ],
)
def test_a_file_of_another_network(path, options, line):
    assert refused(build(**options), path) == line


MISFIT = "made with other options of the model; arrays in the file only: "


def test_a_file_of_another_width(path):
    """Only at 1/8 a pointwise convolution has 8 channels, only at 1/4 it has 256."""
    theirs, ours = refused(build(width=0.25), path).split("; in the model only: ")
    assert theirs.startswith(f"{MISFIT}1x1x8x8, ") and "256" not in theirs
    assert "1x1x256x256" in ours


def test_a_file_of_another_classifier(path):
    """8 against 16 channels behind the 1024 / 8 = 128 of the head, 3 classes."""
    ours = "1x1x8x3, 3x3x8x8, 3x3x128x8, 8 (2 times)"
    assert refused(build(hidden=16), path) == (
        f"{MISFIT}{ours}; in the model only: 1x1x16x3, 3x3x16x16, 3x3x128x16, "
        "16 (2 times)"
    )
    linear = build(classifier={"variant": "linear"})
    assert refused(linear, path) == f"{MISFIT}{ours}; in the model only: 1x1x128x3"


def test_a_normalised_generator_and_a_plain_one(path, tmp_path, localizer):
    """The mean and the variance of 512 / 8 = 64 channels would be left out silently."""
    normalized = build(normalize_generator_input=True)
    two = "64 (2 times)"
    assert refused(normalized, path) == f"{MISFIT}none; in the model only: {two}"
    path = tmp_path / "normalized.weights.h5"
    weights_file.save(normalized, path, source="")
    assert refused(localizer, path) == f"{MISFIT}{two}; in the model only: none"


NO_WEIGHTS = "not a weights file of bas_tf.import_weights"


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_file(other, path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert refused(other, path) == NO_WEIGHTS


def test_files_of_another_kind(other, tmp_path):
    text, keras_own = tmp_path / "text.weights.h5", tmp_path / "keras.weights.h5"
    text.write_text("not HDF5")
    other.save_weights(keras_own)
    for path in (text, keras_own, tmp_path):
        assert refused(other, path) == NO_WEIGHTS
    assert refused(other, tmp_path / "lost.weights.h5") == "no such file"


@pytest.mark.parametrize("origin", ["no JSON", "[]", '{"backbone": "mobilenet_v1"}'])
def test_an_origin_that_is_none(other, path, origin):
    with h5py.File(path, "r+") as file:
        file.attrs["bas_tf"] = origin
    assert refused(other, path) == NO_WEIGHTS
