"""Names and layouts of torch: what each variable of a localizer is called there."""

import re
from collections.abc import Iterable

import numpy as np

LEAVES = {
    "kernel": "weight",
    "gamma": "weight",
    "bias": "bias",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
CLASSIFIER_RULES = (
    (r"classifier/conv1", "classifier_cls.0"),
    (r"classifier/conv2", "classifier_cls.2"),
    (r"classifier/class_maps", "classifier_cls.4"),
    (r"foreground_generator", "classifier_loc.0"),
)
# Layer of the backbone (path without trunk, head and the variable) -> torch's module.
BACKBONE_RULES = {
    "vgg16": ((r"(conv\d_\d)", r"\1"),),
    "resnet50": (
        (r"stem/conv", "conv1"),
        (r"stem/norm", "bn1"),
        (r"layer(\d)_(\d)/downsample/conv", r"layer\1.\2.downsample.0"),
        (r"layer(\d)_(\d)/downsample/norm", r"layer\1.\2.downsample.1"),
        (r"layer(\d)_(\d)/conv(\d)/conv", r"layer\1.\2.conv\3"),
        (r"layer(\d)_(\d)/conv(\d)/norm", r"layer\1.\2.bn\3"),
    ),
    "mobilenet_v1": (
        (r"stem/conv", "model.0.0"),
        (r"stem/norm", "model.0.1"),
        (r"block(\d+)/depthwise/conv", r"model.\1.0"),
        (r"block(\d+)/depthwise/norm", r"model.\1.1"),
        (r"block(\d+)/pointwise/conv", r"model.\1.3"),
        (r"block(\d+)/pointwise/norm", r"model.\1.4"),
    ),
    "inception_v3": (
        (r"(Conv2d_\w+)/conv", r"\1.conv"),
        (r"(Conv2d_\w+)/norm", r"\1.bn"),
        (r"(Mixed_\w+)/(?:\w+_strips/)?(\w+)/conv", r"\1.\2.conv"),
        (r"(Mixed_\w+)/(?:\w+_strips/)?(\w+)/norm", r"\1.\2.bn"),
    ),
}


def torch_name(path: str, backbone: str) -> str | None:
    """The reference's name of a variable, in its ILSVRC naming.

    Args:
      path: of a localizer's variable, as "localizer/backbone/trunk/stem/conv/kernel".
      backbone: a key of `BACKBONE_RULES`.

    Returns:
      As "model.0.0.weight"; None when torch has no counterpart.
    """
    return named(path, (*CLASSIFIER_RULES, *BACKBONE_RULES[backbone]))


def named(path: str, rules: Iterable[tuple[str, str]]) -> str | None:
    """A variable's name in torch, by the first rule that fits its layer, if one does.

    Args:
      path: see `torch_name`.
      rules: pattern of the layer, template of torch's module.
    """
    layer, leaf = split_path(path)
    for pattern, module in rules:
        if match := re.fullmatch(pattern, layer):
            return f"{match.expand(module)}.{LEAVES[leaf]}"
    return None


def split_path(path: str) -> tuple[str, str]:
    """Layer within its network, and variable: as ("stem/conv", "kernel")."""
    *parts, leaf = path.split("/")
    layer = (p for p in parts[1:] if p not in ("backbone", "trunk", "head"))
    return "/".join(layer), leaf


def keras_layout(array: np.ndarray) -> np.ndarray:
    """OIHW -> HWIO, [channels, 1, h, w] -> [h, w, channels, 1]; others unchanged."""
    if array.ndim != 4:
        return array
    return array.transpose((2, 3, 0, 1) if array.shape[1] == 1 else (2, 3, 1, 0))
