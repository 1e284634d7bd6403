"""Checkpoints as the reference and torchvision name them, written down by hand.

Names and shapes come from the published architectures, not from the code under test.
"""

import numpy as np

from tests.models.weights.legacy_torch import contiguous

VGG16_STAGES = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)
RESNET50_STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))  # width, blocks
MOBILENET_V1_BLOCKS = (64, 128, 128, 256, 256, *[512] * 6, 1024, 1024)
INCEPTION_V3_STEM = {  # in, out, kernel
    "Conv2d_1a_3x3": (3, 32, 3, 3),
    "Conv2d_2a_3x3": (32, 32, 3, 3),
    "Conv2d_2b_3x3": (32, 64, 3, 3),
    "Conv2d_3b_1x1": (64, 80, 1, 1),
    "Conv2d_4a_3x3": (80, 192, 3, 3),
}
FEATURES = {  # channels of the trunk and of the head
    "vgg16": (512, 512),
    "resnet50": (1024, 2048),
    "mobilenet_v1": (512, 1024),
    "inception_v3": (768, 2048),
}


def conv(name, inputs, outputs, height, width=None):
    return {f"{name}.weight": (outputs, inputs, height, width or height)}


def norm(name, channels):
    leaves = ("weight", "bias", "running_mean", "running_var")
    counter = {f"{name}.num_batches_tracked": ()}
    return {f"{name}.{leaf}": (channels,) for leaf in leaves} | counter


def biased(name, inputs, outputs, side):
    return conv(name, inputs, outputs, side) | {f"{name}.bias": (outputs,)}


def vgg16_shapes():
    shapes, channels = {}, 3
    for i, stage in enumerate(VGG16_STAGES, 1):
        for j, width in enumerate(stage, 1):
            shapes |= biased(f"conv{i}_{j}", channels, width, 3)
            channels = width
    return shapes


def mobilenet_v1_shapes(multiplier=1.0):
    channels = int(32 * multiplier)
    shapes = conv("model.0.0", 3, channels, 3) | norm("model.0.1", channels)
    for i, full in enumerate(MOBILENET_V1_BLOCKS, 1):
        width = int(full * multiplier)
        shapes |= conv(f"model.{i}.0", 1, channels, 3)  # depthwise
        shapes |= norm(f"model.{i}.1", channels)
        shapes |= conv(f"model.{i}.3", channels, width, 1)
        shapes |= norm(f"model.{i}.4", width)
        channels = width
    return shapes


def resnet50_shapes():
    shapes = conv("conv1", 3, 64, 7) | norm("bn1", 64)
    channels = 64
    for i, (width, count) in enumerate(RESNET50_STAGES, 1):
        for j in range(count):
            block = f"layer{i}.{j}"
            sizes = ((channels, width, 1), (width, width, 3), (width, 4 * width, 1))
            for k, size in enumerate(sizes, 1):
                shapes |= conv(f"{block}.conv{k}", *size)
                shapes |= norm(f"{block}.bn{k}", size[1])
            if j == 0:
                shapes |= conv(f"{block}.downsample.0", channels, 4 * width, 1)
                shapes |= norm(f"{block}.downsample.1", 4 * width)
            channels = 4 * width
    return shapes


def inception_v3_shapes():
    table = dict(INCEPTION_V3_STEM)
    for block, inputs, pooled in (("5b", 192, 32), ("5c", 256, 64), ("5d", 288, 64)):
        table |= _in_block(
            block,
            branch1x1=(inputs, 64, 1, 1),
            branch5x5_1=(inputs, 48, 1, 1),
            branch5x5_2=(48, 64, 5, 5),
            branch3x3dbl_1=(inputs, 64, 1, 1),
            branch3x3dbl_2=(64, 96, 3, 3),
            branch3x3dbl_3=(96, 96, 3, 3),
            branch_pool=(inputs, pooled, 1, 1),
        )
    table |= _in_block(
        "6a",
        branch3x3=(288, 384, 3, 3),
        branch3x3dbl_1=(288, 64, 1, 1),
        branch3x3dbl_2=(64, 96, 3, 3),
        branch3x3dbl_3=(96, 96, 3, 3),
    )
    for block, width in (("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)):
        table |= _in_block(
            block,
            branch1x1=(768, 192, 1, 1),
            branch7x7_1=(768, width, 1, 1),
            branch7x7_2=(width, width, 1, 7),
            branch7x7_3=(width, 192, 7, 1),
            branch7x7dbl_1=(768, width, 1, 1),
            branch7x7dbl_2=(width, width, 7, 1),
            branch7x7dbl_3=(width, width, 1, 7),
            branch7x7dbl_4=(width, width, 7, 1),
            branch7x7dbl_5=(width, 192, 1, 7),
            branch_pool=(768, 192, 1, 1),
        )
    table |= _in_block(
        "7a",
        branch3x3_1=(768, 192, 1, 1),
        branch3x3_2=(192, 320, 3, 3),
        branch7x7x3_1=(768, 192, 1, 1),
        branch7x7x3_2=(192, 192, 1, 7),
        branch7x7x3_3=(192, 192, 7, 1),
        branch7x7x3_4=(192, 192, 3, 3),
    )
    for block, inputs in (("7b", 1280), ("7c", 2048)):
        table |= _in_block(
            block,
            branch1x1=(inputs, 320, 1, 1),
            branch3x3_1=(inputs, 384, 1, 1),
            branch3x3_2a=(384, 384, 1, 3),
            branch3x3_2b=(384, 384, 3, 1),
            branch3x3dbl_1=(inputs, 448, 1, 1),
            branch3x3dbl_2=(448, 384, 3, 3),
            branch3x3dbl_3a=(384, 384, 1, 3),
            branch3x3dbl_3b=(384, 384, 3, 1),
            branch_pool=(inputs, 192, 1, 1),
        )
    shapes = {}
    for name, size in table.items():
        shapes |= conv(f"{name}.conv", *size) | norm(f"{name}.bn", size[1])
    return shapes


def _in_block(block, **branches):
    return {f"Mixed_{block}.{name}": size for name, size in branches.items()}


NETWORKS = {
    "vgg16": vgg16_shapes,
    "resnet50": resnet50_shapes,
    "mobilenet_v1": mobilenet_v1_shapes,
    "inception_v3": inception_v3_shapes,
}


def reference_shapes(
    backbone, *, num_classes, hidden=1024, multiplier=1.0, classifier="classifier_cls"
):
    """{name: shape} of a checkpoint of the reference, as its CUB models save it.

    Args:
      backbone: a key of NETWORKS.
      num_classes: classes.
      hidden: channels between the convolutions of the classifier.
      multiplier: of the channels of mobilenet_v1.
      classifier: `classifier` in the reference's CUB InceptionV3 only.
    """
    options = {} if multiplier == 1 else {"multiplier": multiplier}
    trunk, head = (int(channels * multiplier) for channels in FEATURES[backbone])
    return (
        NETWORKS[backbone](**options)
        | biased(f"{classifier}.0", head, hidden, 3)
        | biased(f"{classifier}.2", hidden, hidden, 3)
        | biased(f"{classifier}.4", hidden, num_classes, 1)
        | biased("classifier_loc.0", trunk, num_classes, 3)
    )


def random_state(shapes, rng):
    """{name: array}; kernels keep features at the order of one, counters are int64."""
    return {name: _random_array(name, shape, rng) for name, shape in shapes.items()}


def _random_array(name, shape, rng):
    if name.endswith("num_batches_tracked"):
        return np.array(7, np.int64)
    values = rng.random(shape, np.float32)
    if len(shape) == 4:  # uniform within +-s has the variance s * s / 3 = 2 / inputs
        return (2 * values - 1) * np.float32(np.sqrt(6 / np.prod(shape[1:])))
    if name.endswith(("running_var", "weight")):
        return values + 0.5
    return 0.2 * values - 0.1


def checkpoint(state, written, prefix=""):
    """The bytes of a file; `written` is `legacy_file` or `zip_file`."""
    return written(
        {
            f"{prefix}{n}": contiguous(str(i), a)
            for i, (n, a) in enumerate(state.items())
        }
    )
