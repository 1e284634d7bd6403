"""Assignment: all or nothing, and words for what does not fit."""

import keras
import numpy as np
import pytest

from bas_tf.errors import UserError
from bas_tf.models.input_scaling import INPUT_SCALINGS
from bas_tf.models.weights.assign import (
    MOST_NAMES,
    Weights,
    assign_weights,
    model_variables,
)
from tests.training.narrow import narrow_localizer

STEM = "localizer/backbone/trunk/stem/conv/kernel"
BIAS = "localizer/foreground_generator/bias"
CLASSES = "localizer/backbone/head/classifier/class_maps"


@pytest.fixture(scope="module")
def built():
    keras.utils.set_random_seed(0)
    return narrow_localizer(backbone="mobilenet_v1")


def values_of(localizer):
    return {v.path: v.numpy() for v in localizer.variables}


@pytest.fixture
def localizer(built):
    """With an input scaling that none of the weights below has."""
    built.backbone.set_input_scaling("caffe")
    before = values_of(built)
    yield built
    for variable in built.variables:
        variable.assign(before[variable.path])


def weights(arrays, **options):
    """Of a source that calls every variable by its path."""
    return Weights(
        **{
            "origin": "some.file",
            "arrays": arrays,
            "name_of": lambda path: path,
            "scaling": "lite",
            **options,
        }
    )


def fitting(localizer, rng):
    return {
        v.path: rng.normal(size=v.shape).astype(np.float32)
        for v in model_variables(localizer)
    }


def scaling_of(localizer):
    pixels = localizer.backbone.trunk.get_layer("scaling")
    return np.stack([pixels.mean, pixels.std])


def refused(localizer, weights, **options):
    """The one line of an error that must leave the model as it was."""
    before = values_of(localizer)
    with pytest.raises(UserError) as error:
        assign_weights(localizer, weights, **options)
    for path, value in values_of(localizer).items():
        np.testing.assert_array_equal(value, before[path], err_msg=path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_everything_is_set_and_the_scaling_too(localizer, rng):
    arrays = fitting(localizer, rng)
    outcome = assign_weights(localizer, weights(arrays, ignored=("copy", "counter")))
    for variable in model_variables(localizer):
        np.testing.assert_array_equal(variable, arrays[variable.path])
    expected = np.float32(INPUT_SCALINGS["lite"])
    np.testing.assert_array_equal(scaling_of(localizer), expected)
    assert set(outcome.assigned) == set(arrays)
    assert len(arrays) + 2 == len(localizer.variables)  # mean and std of pixels
    assert outcome.ignored == ("copy", "counter")
    assert outcome.fresh == outcome.unmatched == ()


def test_what_a_source_does_not_hold_stays_fresh(localizer, rng):
    arrays, before = fitting(localizer, rng), values_of(localizer)
    del arrays[STEM], arrays[BIAS]
    held = weights(arrays, name_of=lambda p: None if p in (STEM, BIAS) else p)
    outcome = assign_weights(localizer, held)
    assert outcome.fresh == (STEM, BIAS)
    assert outcome.unmatched == ()
    after = values_of(localizer)
    np.testing.assert_array_equal(after[STEM], before[STEM])
    np.testing.assert_array_equal(after[CLASSES + "/bias"], arrays[CLASSES + "/bias"])


def test_names_on_both_sides(localizer, rng):
    """Stem kernel: 3x3, 3 colours, max(8, 32 / 8) = 8 channels."""
    arrays = fitting(localizer, rng)
    arrays["strange.weight"] = arrays.pop(BIAS)
    arrays[STEM] = np.zeros([3, 3, 3, 9])
    assert refused(localizer, weights(arrays)) == (
        f"some.file: the model needs and the file lacks: {BIAS}; "
        "the file has and the model lacks: strange.weight; "
        f"shapes differ: {STEM} (3x3x3x9 in the file, 3x3x3x8 in the model)"
    )


def test_long_lists_are_cut(localizer, rng):
    arrays = fitting(localizer, rng)
    strange = {f"strange{i}": np.zeros(1) for i in range(MOST_NAMES + 3)}
    listed = ", ".join(list(strange)[:MOST_NAMES])
    assert refused(localizer, weights(arrays | strange)) == (
        f"some.file: the file has and the model lacks: {listed} and 3 more"
    )
    del strange["strange0"], strange["strange1"], strange["strange2"]
    assert refused(localizer, weights(arrays | strange)).endswith(list(strange)[-1])


def test_another_number_of_classes_is_told(localizer, rng):
    """The 1x1 classifier has 1024 / 8 = 128 inputs."""
    arrays = fitting(localizer, rng)
    arrays[f"{CLASSES}/kernel"] = np.zeros([1, 1, 128, 5])
    arrays[f"{CLASSES}/bias"] = np.zeros(5)
    assert refused(localizer, weights(arrays)) == (
        f"some.file: shapes differ: {CLASSES}/kernel (1x1x128x5 in the file, "
        f"1x1x128x3 in the model), {CLASSES}/bias (5 in the file, 3 in the model); "
        "the file is for 5 classes, the model for 3"
    )


def test_a_partial_import_takes_what_fits(localizer, rng):
    arrays, before = fitting(localizer, rng), values_of(localizer)
    arrays["strange.weight"] = arrays.pop(BIAS)
    arrays[STEM] = np.zeros([3, 3, 3, 9])
    outcome = assign_weights(localizer, weights(arrays), partial=True)
    assert outcome.unmatched == (
        f"the model needs and the file lacks: {BIAS}",
        "the file has and the model lacks: strange.weight",
        f"shapes differ: {STEM} (3x3x3x9 in the file, 3x3x3x8 in the model)",
    )
    assert outcome.fresh == (STEM, BIAS)
    for path, value in values_of(localizer).items():
        if path in outcome.assigned:
            np.testing.assert_array_equal(value, arrays[path])
        elif path in outcome.fresh:
            np.testing.assert_array_equal(value, before[path])
    assert len(outcome.assigned) + 2 == len(model_variables(localizer))
    expected = np.float32(INPUT_SCALINGS["lite"])
    np.testing.assert_array_equal(scaling_of(localizer), expected)


@pytest.mark.parametrize("arrays", [{}, {"strange": np.zeros(1)}, {STEM: np.zeros(2)}])
def test_a_partial_import_of_nothing_is_an_error(localizer, arrays):
    told = refused(localizer, weights(arrays), partial=True)
    assert told == "some.file: nothing in it fits the model"
