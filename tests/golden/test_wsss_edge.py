"""The edge network against the recorded one of IRN's code, in float32.

TensorFlow resizes in float32 alone, so nothing is gained from float64.
"""

import json
import zlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from bas_tf.models import blocks
from bas_tf.models.backbones import resnet50
from bas_tf.models.input_scaling import input_scaling
from bas_tf.models.weights.torch_names import keras_layout, torch_name
from bas_tf.segmentation import edge_network
from tests.golden import weights

FEATURES = ((24, 64), (24, 256), (12, 512), (6, 1024), (6, 2048))
LAYERS = ((1, 3, 64, 1), (2, 4, 128, 2), (3, 6, 256, 2), (4, 3, 512, 1))
PARAMETERS = [f"fc_edge{k}.{kind}" for k in range(1, 6)
              for kind in ("0.weight", "1.weight", "1.bias")]  # fmt: skip
PARAMETERS += ["fc_edge6.weight", "fc_edge6.bias"]  # in the order of our variables


@pytest.fixture(scope="module")
def recorded(shared_dir) -> dict[str, np.ndarray]:
    return weights.golden(shared_dir, "wsss_edge")


@pytest.fixture(scope="module")
def entries(shared_dir) -> dict[str, np.ndarray]:
    """The recorded network's weights by the rule, in Keras layout."""
    named = json.loads((shared_dir / "golden" / "wsss_names.json").read_text())["edge"]
    shapes = {f"irn:{name}": shape for name, shape in named if "fc_dp" not in name}
    # Scale and shift of a group normalisation are drawn as those of a BatchNorm.
    norms = {f"irn:fc_edge{k}.1.running_mean": () for k in range(1, 6)}
    found = {
        name.removeprefix("irn:"): weights.entry(name, shape, shapes | norms)
        for name, shape in shapes.items()
    }
    found["fc_edge6.bias"] = found["fc_edge6.bias"] - np.float32(0.5)
    return {name: keras_layout(array) for name, array in found.items()}


@pytest.fixture(scope="module")
def branch(entries) -> edge_network.EdgeBranch:
    built = edge_network.EdgeBranch()
    built.build([(None, side, side, channels) for side, channels in FEATURES])
    built.set_weights([entries[name] for name in PARAMETERS])
    return built


def test_logits_losses_and_gradients(recorded, branch):
    features = []
    for k, (side, channels) in enumerate(FEATURES, 1):
        seed = zlib.crc32(f"feat:x{k}".encode()) & 0x7FFFFFFF
        shape = [2, channels, side, side]
        drawn = np.random.RandomState(seed).standard_normal(shape)
        features.append(np.maximum(drawn, 0).transpose(0, 2, 3, 1).astype(np.float32))
    targets = edge_network.edge_targets(recorded["head/labels"])
    np.testing.assert_array_equal(targets, recorded["head/labels_small"])

    variables = branch.trainable_variables
    with tf.GradientTape() as tape:
        logits = branch([tf.constant(f) for f in features])
        losses = edge_network.edge_losses(logits, tf.constant(targets))
    of_logits, gradients = tape.gradient(
        losses["total"], (logits, [v.value for v in variables])
    )
    truth = recorded["f64/head/edge_logit"]
    np.testing.assert_allclose(logits, truth, rtol=0, atol=4e-6)
    three = [losses[name] for name in ("background", "foreground", "negative")]
    np.testing.assert_allclose(three, recorded["f64/head/losses"][:3], rtol=1e-6)
    truth = recorded["f64/head/grad_edge_logit"]
    np.testing.assert_allclose(of_logits, truth, rtol=0, atol=1e-5 * abs(truth).max())
    arrays = {
        name: weights.torch_layout(np.asarray(gradient), variable.path)
        for name, gradient, variable in zip(
            PARAMETERS, gradients, variables, strict=True
        )
    }
    ours = recorded | {
        f"g/{kind}": recorded[f"f64/head/grad/{kind}"][: len(PARAMETERS)]
        for kind in ("names", "norm", "sum", "val")
    }
    found = weights.deviations(ours, "g", arrays)
    assert max(found.values()) < 1e-5


@pytest.fixture(scope="module")
def network(entries, branch):
    """ResNet50 with the recorded strides below the branch."""
    trunk = [
        blocks.PixelScaling(**input_scaling("torch")),
        blocks.ConvNormActivation(64, 7, 2, name="stem"),
        blocks.PaddedMaxPooling(3, 2, (1, 1)),
    ]
    for layer in LAYERS:
        trunk += resnet50.build_layer(*layer, "paper")
    ends = [2, *(2 + n for n in np.cumsum([repeats for _, repeats, *_ in LAYERS]))]

    def stages(x):
        found = []
        for i, layer in enumerate(trunk):
            x = layer(x)
            if i in ends:
                found.append(x)
        return found

    pixels = keras.Input([None, None, 3])
    model = keras.Model(pixels, stages(pixels))
    for variable in model.variables:
        name = torch_name(f"root/{variable.path}", "resnet50")
        if name:  # not mean and std of the pixels
            variable.assign(entries[name])
    return lambda images: branch(model(images, training=False))


@pytest.mark.parametrize(
    ("photo", "canvas"),
    [("photo0", 128), ("photo1", 128), ("photo2", 128), ("photo2", 64)],
)
def test_edge_maps_of_photos(shared_dir, recorded, network, photo, canvas):
    """The canvas counts: photo 2 has another map on each."""
    with np.load(shared_dir / "golden" / "wsss_seeds.npz") as arrays:
        pixels = arrays[f"{photo}/rgb"]
    found = edge_network.edge_map(pixels, network, canvas=canvas)
    truth = recorded[f"f64/{photo}/edge_crop{canvas}"]
    np.testing.assert_allclose(found, truth, rtol=0, atol=4e-6)
