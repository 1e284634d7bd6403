"""Where each torch module's arrays must end up in a localizer, found by attributes."""

import numpy as np

from tests.models.weights.torch_checkpoints import RESNET50_STAGES


def modules(localizer):
    """{torch's module: our layer} of a localizer, found by attributes."""
    network = localizer.backbone
    layers = {
        layer.name: layer for layer in (*network.trunk.layers[1:], *network.head.layers)
    }
    classifier = layers.pop("classifier").convolutions
    found = dict(zip(("cls.0", "cls.2", "cls.4"), classifier, strict=True))
    found = {f"classifier_{name}": layer for name, layer in found.items()}
    found["classifier_loc.0"] = localizer.generator
    return found | MODULES[localizer.backbone_name](layers)


def _vgg16_modules(layers):
    return {name: layer for name, layer in layers.items() if name.startswith("conv")}


def _mobilenet_v1_modules(layers):
    found = _pair(layers["stem"], "model.0.0", "model.0.1")
    for i in range(1, 14):
        block = layers[f"block{i}"]
        found |= _pair(block.depthwise, f"model.{i}.0", f"model.{i}.1")
        found |= _pair(block.pointwise, f"model.{i}.3", f"model.{i}.4")
    return found


def _resnet50_modules(layers):
    found = _pair(layers["stem"], "conv1", "bn1")
    for i, (_, count) in enumerate(RESNET50_STAGES, 1):
        for j in range(count):
            block, name = layers[f"layer{i}_{j}"], f"layer{i}.{j}"
            for k, step in enumerate((block.conv1, block.conv2, block.conv3), 1):
                found |= _pair(step, f"{name}.conv{k}", f"{name}.bn{k}")
            if block.downsample:
                both = f"{name}.downsample.0", f"{name}.downsample.1"
                found |= _pair(block.downsample, *both)
    return found


def _inception_v3_modules(layers):
    found = {}
    for name, layer in layers.items():
        for path, step in _steps(layer, name):
            found |= _pair(step, f"{path}.conv", f"{path}.bn")
    return found


def _steps(layer, path):
    """Every convolution within; two side by side have no name of their own in torch."""
    if hasattr(layer, "branches"):
        for step in (step for branch in layer.branches for step in branch):
            side_by_side = step.name.endswith("_strips")
            yield from _steps(step, path if side_by_side else f"{path}.{step.name}")
    elif hasattr(layer, "conv"):
        yield path, layer


def _pair(block, conv_name, norm_name):
    return {conv_name: block.conv, norm_name: block.norm}


MODULES = {
    "vgg16": _vgg16_modules,
    "resnet50": _resnet50_modules,
    "mobilenet_v1": _mobilenet_v1_modules,
    "inception_v3": _inception_v3_modules,
}


def expected_arrays(state, name, layer):
    """[(our variable, what it must equal)] of one torch module."""
    entry = {
        k.rpartition(".")[2]: a for k, a in state.items() if k.startswith(f"{name}.")
    }
    if hasattr(layer, "moving_mean"):
        return [
            (layer.gamma, entry["weight"]),
            (layer.beta, entry["bias"]),
            (layer.moving_mean, entry["running_mean"]),
            (layer.moving_variance, entry["running_var"]),
        ]
    kernel = np.moveaxis(entry["weight"], (2, 3), (0, 1))  # [h, w, out, in]
    if not hasattr(layer, "depth_multiplier"):
        kernel = np.swapaxes(kernel, 2, 3)
    bias = [(layer.bias, entry["bias"])] if "bias" in entry else []
    return [(layer.kernel, kernel), *bias]


def assert_holds(localizer, state, names=None):
    """Every variable of the modules equals its entry; returns how many there were."""
    count = 0
    for name, layer in modules(localizer).items():
        if names is None or name in names:
            for variable, value in expected_arrays(state, name, layer):
                np.testing.assert_array_equal(variable, value, err_msg=name)
                count += 1
    return count
