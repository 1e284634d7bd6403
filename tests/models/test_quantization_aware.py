"""Passes that round as an int8 file will, and what training with them brings back."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from keras import layers

from bas_tf import experiment, names, run_training
from bas_tf.models import quantization_aware
from bas_tf.models.backbones import BACKBONES
from bas_tf.models.blocks import ConvNormActivation
from bas_tf.models.quantization_aware import round_activations, round_kernel
from bas_tf.training.step import bas_terms
from export import signatures, tflite
from tests.lively import enliven
from tests.training.narrow import narrow_localizer

LABELS = tf.constant([0, 2, 1])


@pytest.fixture
def aware():
    """A lively narrow localizer that rounds, its generator's input normalised."""
    keras.utils.set_random_seed(0)
    localizer = enliven(narrow_localizer(normalize_generator_input=True))
    quantization_aware.make_quantization_aware(localizer)
    return localizer


def rounded_slowly(values, least, largest):
    """256 levels, one of them zero: value by value."""
    least, largest = min(least, 0.0), max(largest, 0.0)
    step = (largest - least) / 255
    zero = round(-least / step)
    levels = [np.clip(round(v / step) + zero, 0, 255) for v in values.ravel().tolist()]
    return (np.array(levels).reshape(values.shape) - zero) * step


@pytest.mark.parametrize("offset", [-9.0, -1.3, 0.0, 9.0])
def test_activations_have_256_levels_and_zero_is_one(rng, offset):
    x = (rng.normal(size=[2, 8, 8, 4]) + offset).astype(np.float32)
    x[0, 0, 0, 0] = 0
    found = round_activations(tf.constant(x)).numpy()
    step = (max(x.max(), 0) - min(x.min(), 0)) / 255
    assert found[0, 0, 0, 0] == 0
    # A value between two levels may go to either.
    np.testing.assert_allclose(
        found, rounded_slowly(x, x.min(), x.max()), atol=1.01 * step
    )
    exact = np.abs(found - rounded_slowly(x, x.min(), x.max())) < 1e-3 * step
    assert exact.mean() > 0.99
    levels = np.unique(found) / step
    assert len(levels) <= 256
    np.testing.assert_allclose(levels, np.round(levels), atol=1e-3)


def test_zeros_stay_and_nan_is_not_hidden():
    assert not round_activations(tf.zeros([3])).numpy().any()
    assert np.isnan(round_activations(tf.constant([np.nan, 1.0]))).all()
    assert not round_kernel(tf.zeros([3, 3, 2, 1]), axes=(0, 1)).numpy().any()


@pytest.mark.parametrize(
    ("shape", "axes"), [((3, 3, 5, 7), (0, 1, 2)), ((3, 3, 5, 1), (0, 1))]
)
def test_a_kernel_rounds_as_it_does_with_batch_norm_folded_in(rng, shape, axes):
    """127 steps a channel on either side, whatever factor and sign a channel has."""
    kernel = rng.normal(size=shape).astype(np.float32)
    found = round_kernel(tf.constant(kernel), axes=axes).numpy()
    step = np.abs(kernel).max(axes, keepdims=True) / 127
    np.testing.assert_allclose(found, np.round(kernel / step) * step, atol=1e-6)
    channels = [1 if axis in axes else side for axis, side in enumerate(shape)]
    factor = rng.normal(size=channels).astype(np.float32) * 30
    folded = round_kernel(tf.constant(kernel * factor), axes=axes).numpy()
    np.testing.assert_allclose(folded, found * factor, atol=1e-4 * np.abs(factor).max())


@pytest.mark.parametrize(
    "function", [round_activations, lambda x: round_kernel(x, axes=(0,))]
)
def test_the_gradient_is_that_of_the_value_the_extremes_included(rng, function):
    x = tf.constant(rng.normal(size=[50, 3]).astype(np.float32))
    weights = tf.constant(rng.normal(size=[50, 3]).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(function(x) * weights)
    np.testing.assert_array_equal(tape.gradient(total, x), weights)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_tensor_has_as_many_values_as_int8_and_no_variable_is_new(backbone, images):
    options = {"width": 0.125} if backbone == "mobilenet_v1" else {}
    keras.utils.set_random_seed(0)
    localizer = narrow_localizer(backbone=backbone, backbone_options=options)
    plain = localizer(images)[names.FEATURES]
    paths = [variable.path for variable in localizer.variables]
    quantization_aware.make_quantization_aware(localizer)
    rounded = localizer(images)
    assert [variable.path for variable in localizer.variables] == paths
    assert len(np.unique(plain)) > 256
    assert not np.array_equal(plain, rounded[names.FEATURES])
    for key in (names.FEATURES, names.CLASS_MAPS):
        assert len(np.unique(rounded[key])) <= 256


def test_a_block_by_hand(aware, images):
    """Kernel, BatchNorm and ReLU of the first block, then its output rounded."""
    pixels = aware.backbone.trunk.get_layer("scaling")(images)
    stem = aware.backbone.trunk.get_layer("stem")
    assert isinstance(stem, ConvNormActivation)
    kernel = round_kernel(stem.conv.kernel.value, axes=(0, 1, 2))
    x = tf.nn.conv2d(
        tf.pad(pixels, [[0, 0], [1, 1], [1, 1], [0, 0]]), kernel, 2, "VALID"
    )
    expected = round_activations(tf.nn.relu(stem.norm(x)))
    np.testing.assert_allclose(stem(pixels), expected, atol=1e-5)


@pytest.mark.parametrize("batch_statistics", [True, False])
def test_every_weight_learns_and_the_frozen_pass_stays_frozen(
    aware, images, batch_statistics
):
    moving = {v.path: v.numpy() for v in aware.generator.non_trainable_variables}
    with tf.GradientTape(persistent=True) as tape:
        terms = bas_terms(
            aware, images, LABELS,
            background_wins="gradient", batch_statistics=batch_statistics,
        )  # fmt: skip
        everything = tf.add_n([tf.reduce_sum(v) for v in terms.values()])
        suppressed = tf.reduce_sum(terms[names.BACKGROUND_ACTIVATION])
    variables = aware.trainable_variables
    for variable, gradient in zip(
        variables, tape.gradient(everything, variables), strict=True
    ):
        assert gradient is not None, variable.path
        assert np.isfinite(tf.convert_to_tensor(gradient)).all(), variable.path
    head = aware.backbone.head.trainable_variables
    assert tape.gradient(suppressed, head) == [None] * len(head)
    assert tape.gradient(suppressed, aware.generator.kernel) is not None
    for variable in aware.generator.non_trainable_variables:
        assert not np.array_equal(variable, moving[variable.path]), variable.path


def test_the_generators_kernel_is_rounded_for_each_class(aware):
    kernel = aware.generator.kernel
    kernel.assign(kernel * [1.0, 1.0, 100.0])
    found = aware.generator.kernel_in_use()
    np.testing.assert_array_equal(found, round_kernel(kernel.value, axes=(0, 1, 2)))
    # The answer of an edge file has int8 kernels, and maps the same.
    features = tf.random.stateless_uniform([1, 8, 8, kernel.shape[2]], [0, 0])
    served = signatures.ServedLocalizer(
        aware, input_size_wh=(64, 64), score_threshold=0.5
    )
    layers = served.edge_layers("given_class")
    answer = served.edge_answer(layers, "given_class", int8_kernels=True)
    for c in range(3):
        of_file = answer(features, tf.constant([c]))[names.LOCALIZATION_MAP]
        ours = aware.generator(features, tf.constant([[c]]))
        np.testing.assert_allclose(of_file, ours, atol=1e-5)


@pytest.fixture(scope="module")
def tuning(demo_workdir):
    """The quick demo's config, to go on from its workdir for two epochs."""
    config = experiment.load_experiment(demo_workdir).config
    config.model.weights = str(demo_workdir)
    config.train.classifier_epochs = 0
    config.train.quantization_aware = True
    config.optimizer.warmup_steps = 0
    return config.copy_and_resolve_references()


@pytest.mark.slow
def test_two_replicas_round_and_continue_to_the_bit(tuning, tmp_path, monkeypatch):
    monkeypatch.setattr(tf.distribute.MirroredStrategy, "_collective_key_base", 9500)
    tuning = tuning.copy_and_resolve_references()
    tuning.train.strategy = "mirrored"
    assert run_training.run_training(tuning, tmp_path)
    through = trained_weights(tmp_path)
    for path in (tmp_path / "checkpoints").glob("step-12.*"):
        path.unlink()
    assert run_training.run_training(tuning, tmp_path)
    for path, value in trained_weights(tmp_path).items():
        np.testing.assert_array_equal(value, through[path], err_msg=path)


def trained_weights(workdir) -> dict[str, np.ndarray]:
    localizer = experiment.load_localizer(experiment.load_experiment(workdir))
    return {variable.path: variable.numpy() for variable in localizer.variables}


@pytest.mark.slow
def test_rounding_foretells_an_int8_file(rng):
    """Of channels that differ thirtyfold, the small ones have few of the 256 levels.

    Behind a ReLU a channel may be scaled and the next kernel divided: Keras's features
    stay as they were, the file's do not.
    """
    keras.utils.set_random_seed(0)
    localizer = enliven(narrow_localizer())
    crops = rng.integers(0, 256, [16, 64, 64, 3]).astype(np.uint8)
    before = localizer(crops)[names.FEATURES].numpy()
    for name in ("block2", "block4", "block6"):
        scale_channels(localizer, name, 30.0)
    plain = localizer(crops)[names.FEATURES].numpy()
    np.testing.assert_allclose(plain, before, atol=1e-4 * before.max())
    in_file = int8_answers(localizer.backbone.trunk, crops)
    quantization_aware.make_quantization_aware(localizer)
    rounded = localizer(crops)[names.FEATURES].numpy()
    # Behind many layers roundings are noise, of one size.
    lost, foretold = np.abs(in_file - plain).mean(), np.abs(rounded - plain).mean()
    assert lost > 0.01 * plain.mean()
    assert 0.7 < foretold / lost < 1.4


def int8_answers(function, crops) -> np.ndarray:
    """What an int8 file of a function of pixels answers."""
    spec = tf.TensorSpec([1, 64, 64, 3], tf.uint8, name=names.IMAGES)

    def serve(images):
        return {names.FEATURES: function(tf.cast(images, tf.float32))}

    serve = tf.function(serve, input_signature=[spec])
    content = tflite.convert(serve, ["int8"], crops)["int8"]
    run = Interpreter(model_content=content).get_signature_runner("serving_default")
    return np.concatenate(
        [run(**{names.IMAGES: crop[np.newaxis]})[names.FEATURES] for crop in crops]
    )


def scale_channels(localizer, block: str, factor: float) -> None:
    """Every fourth channel behind a block, undone by the next depthwise kernel."""
    trunk = localizer.backbone.trunk
    following = trunk.layers[trunk.layers.index(trunk.get_layer(block)) + 1]
    norm, conv = trunk.get_layer(block).pointwise.norm, following.depthwise.conv
    assert isinstance(conv, layers.DepthwiseConv2D)
    scale = np.ones(norm.gamma.shape, np.float32)
    scale[::4] = factor
    norm.gamma.assign(norm.gamma * scale)
    norm.beta.assign(norm.beta * scale)
    conv.kernel.assign(conv.kernel / scale[:, np.newaxis])
