"""torchvision's classifiers: trunk and head are taken, classifier and generator not."""

import numpy as np
import pytest

from bas_tf.errors import UserError
from bas_tf.models.weights import torchvision
from bas_tf.models.weights.assign import assign_weights
from tests.models.weights.torch_checkpoints import (
    assert_holds,
    build,
    checkpoint,
    random_state,
    reference_shapes,
)
from tests.models.weights.zip_torch import zip_file

# Positions in torchvision's vgg16().features: a ReLU follows each convolution, a pool
# each stage.
VGG16_POSITIONS = {
    "conv1_1": 0, "conv1_2": 2,
    "conv2_1": 5, "conv2_2": 7,
    "conv3_1": 10, "conv3_2": 12, "conv3_3": 14,
    "conv4_1": 17, "conv4_2": 19, "conv4_3": 21,
    "conv5_1": 24, "conv5_2": 26, "conv5_3": 28,
}  # fmt: skip
# What belongs to the ImageNet classifier; small here, since only names are read.
CLASSIFIERS = {
    "vgg16": ("classifier.0", "classifier.3", "classifier.6"),
    "resnet50": ("fc",),
    "inception_v3": (
        "fc",
        "AuxLogits.conv0.conv",
        "AuxLogits.conv1.bn",
        "AuxLogits.fc",
    ),
}
FRESH = ("localizer/backbone/head/classifier/", "localizer/foreground_generator/")


def published(backbone, name):
    """ResNet50 and InceptionV3 kept torchvision's names in the reference."""
    if backbone != "vgg16":
        return name
    layer, leaf = name.split(".")
    return f"features.{VGG16_POSITIONS[layer]}.{leaf}"


def classifier_state(backbone):
    return {
        f"{name}.{leaf}": np.zeros(2, np.float32)
        for name in CLASSIFIERS[backbone]
        for leaf in ("weight", "bias")
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "backbone, arrays, ignored",
    [
        ("vgg16", 26, 6),  # 2 * 13; weights and biases of 3 layers
        ("resnet50", 265, 55),  # 5 * 53; 53 counters and 2 of fc
        ("inception_v3", 470, 102),  # 5 * 94; 94 counters, 2 of fc, 6 of AuxLogits here
    ],
)
def test_the_trunk_and_the_head_are_the_files(tmp_path, rng, backbone, arrays, ignored):
    localizer = build(backbone)
    state = {
        name: array
        for name, array in random_state(reference_shapes(localizer), rng).items()
        if not name.startswith("classifier_")
    }
    file = {published(backbone, n): a for n, a in state.items()}
    path = tmp_path / f"{backbone}.pth"
    path.write_bytes(checkpoint(file | classifier_state(backbone), zip_file))
    before = {v.path: v.numpy() for v in localizer.variables}
    outcome = assign_weights(localizer, torchvision.read(localizer, path))
    path.unlink()  # of up to 90 MB
    assert assert_holds(localizer, state) == len(outcome.assigned) == arrays
    assert len(outcome.ignored) == ignored
    assert len(outcome.fresh) == 8  # kernel and bias of three layers and the generator
    for variable in localizer.variables:
        is_fresh = variable.path in outcome.fresh
        assert variable.path.startswith(FRESH) == is_fresh
        if is_fresh:
            np.testing.assert_array_equal(variable, before[variable.path])


def test_a_vgg16_with_batch_norm_is_another_network(tmp_path):
    """vgg16_bn counts its norms: the second convolution is features.3."""
    state = {
        f"features.{i}.weight": np.zeros(1, np.float32) for i in (0, 1, 3, 4, 7, 8, 40)
    }
    path = tmp_path / "vgg16_bn.pth"
    path.write_bytes(checkpoint(state, zip_file))
    localizer = build("vgg16")
    with pytest.raises(UserError) as error:
        assign_weights(localizer, torchvision.read(localizer, path))
    told = str(error.value)
    assert told.startswith(f"{path}: the model needs and the file lacks: features.0.b")
    assert "features.2.weight" in told
    assert (
        "; the file has and the model lacks: features.1.weight, features.3.weight, "
        "features.4.weight, features.8.weight, features.40.weight; " in told
    )


@pytest.mark.parametrize("backbone", ["mobilenet_v1", "efficientnet_lite0"])
def test_backbones_that_torchvision_lacks(backbone, tmp_path):
    with pytest.raises(UserError) as error:
        torchvision.read(build(backbone), tmp_path / "missing.pth")
    assert str(error.value) == (
        f"--backbone={backbone}: torchvision has weights for vgg16, resnet50, "
        "inception_v3"
    )
