"""Names of Keras Applications: what each variable of a localizer is called there."""

import re

from bas_tf.models.localizer import Localizer
from bas_tf.models.weights.assign import model_variables
from bas_tf.models.weights.torch_names import split_path

RULES = {  # our layer -> Keras's; InceptionV3's are only numbered
    "vgg16": ((r"conv(\d)_(\d)", r"block\1_conv\2"),),
    "resnet50": (
        (r"stem/conv", "conv1_conv"),
        (r"stem/norm", "conv1_bn"),
        (r"(conv\d_block\d)/downsample/conv", r"\1_0_conv"),
        (r"(conv\d_block\d)/downsample/norm", r"\1_0_bn"),
        (r"(conv\d_block\d)/conv(\d)/conv", r"\1_\2_conv"),
        (r"(conv\d_block\d)/conv(\d)/norm", r"\1_\2_bn"),
    ),
    "mobilenet_v1": (
        (r"stem/conv", "conv1"),
        (r"stem/norm", "conv1_bn"),
        (r"block(\d+)/depthwise/conv", r"conv_dw_\1"),
        (r"block(\d+)/depthwise/norm", r"conv_dw_\1_bn"),
        (r"block(\d+)/pointwise/conv", r"conv_pw_\1"),
        (r"block(\d+)/pointwise/norm", r"conv_pw_\1_bn"),
    ),
}


def keras_names(localizer: Localizer) -> dict[str, str]:
    """Path of each variable -> its Keras name; without classifier and generator.

    Returns:
      As {"localizer/backbone/trunk/stem/conv/kernel": "conv1_conv/kernel"}. The
      numbers of InceptionV3 count from 0.
    """
    paths = [variable.path for variable in model_variables(localizer)]
    name = localizer.backbone_name
    rules = numbered_rules(paths) if name == "inception_v3" else RULES[name]
    names = {}
    for path in paths:
        layer, leaf = _split(path)
        for pattern, keras_layer in rules:
            if match := re.fullmatch(pattern, layer):
                names[path] = f"{match.expand(keras_layer)}/{leaf}"
    return names


def numbered_rules(paths: list[str]) -> list[tuple[str, str]]:
    """Rules for layers that Keras only numbers, in the order of ours."""
    kernels = [path for path in paths if path.endswith("/conv/kernel")]
    blocks = [_split(path)[0].removesuffix("/conv") for path in kernels]
    return [
        (f"{block}/{kind}", f"{keras_kind}_{i}")
        for i, block in enumerate(blocks)
        for kind, keras_kind in (("conv", "conv2d"), ("norm", "batch_normalization"))
    ]


def _split(path: str) -> tuple[str, str]:
    """As `split_path`, ResNet's layers counted as Keras does, from 2 and 1:
    "layer3_0/conv2/norm" -> "conv4_block1/conv2/norm"."""
    layer, leaf = split_path(path)
    renamed = re.sub(
        r"^layer(\d)_(\d)",
        lambda match: f"conv{int(match[1]) + 1}_block{int(match[2]) + 1}",
        layer,
    )
    return renamed, leaf
