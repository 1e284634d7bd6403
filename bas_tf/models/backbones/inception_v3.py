"""InceptionV3 with the paper's modifications: Mixed_6a keeps stride 1, paddings added.

trunk f1: Conv2d_1a (padded) .. Mixed_6e, stride 8, 768 channels; head f2: Mixed_7a
(stride 2, padded) .. Mixed_7c at stride 16, 2048 channels, then the classifier.
BatchNorm's epsilon is 1e-3. No auxiliary classifier, no dropout. Blocks and branches
carry the names that the network has been published with.
"""

import tensorflow as tf
from keras import layers

from bas_tf.errors import check_choice
from bas_tf.models import blocks
from bas_tf.models.backbones.backbone import Backbone
from bas_tf.ops.fan_out import fan_out

EPSILON = 1e-3
CEIL_MODE = (1, 2)  # margins of torch's padding 1 with ceil_mode
VARIANTS = ("paper", "keras")


def conv(filters, kernel_size, name, strides=1, *, padding="symmetric"):
    """A convolution block with this network's constants."""
    return blocks.ConvNormActivation(
        filters, kernel_size, strides, padding=padding, epsilon=EPSILON, name=name
    )


def convs(prefix, *steps, strides=1):
    """Blocks of (filters, kernel size), numbered if several; the last is strided."""
    names = [f"{prefix}_{i + 1}" for i in range(len(steps))]
    names = names if len(steps) > 1 else [prefix]
    all_strides = [*[1] * (len(steps) - 1), strides]
    return [
        conv(*step, name, stride)
        for step, name, stride in zip(steps, names, all_strides, strict=True)
    ]


class Branches(layers.Layer):
    """Runs branches, sequences of layers, on one input; concatenates their channels."""

    def __init__(self, *branches, **kwargs):
        super().__init__(**kwargs)
        self.branches = [list(branch) for branch in branches]
        # TensorFlow's saver does not look into lists of lists.
        self.layers = [layer for branch in self.branches for layer in branch]

    def build(self, input_shape):
        for branch in self.branches:
            blocks.build_layers(branch, input_shape)
        self.built = True

    def compute_output_shape(self, input_shape):
        shapes = [blocks.output_shape(branch, input_shape) for branch in self.branches]
        return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))

    def call(self, x, training=False):
        outputs = []
        inputs = fan_out(x, len(self.branches))
        for y, branch in zip(inputs, self.branches, strict=True):
            for layer in branch:
                y = layer(y, training=training)
            outputs.append(y)
        return tf.concat(outputs, axis=-1)


class AveragePooling(layers.Layer):
    """3x3 average pooling at stride 1.

    Args:
      counts_padding: divides by 9 everywhere, as torch; else by the pixels inside.
    """

    def __init__(self, *, counts_padding: bool, **kwargs):
        super().__init__(**kwargs)
        self._counts_padding = counts_padding

    def compute_output_shape(self, input_shape):
        return input_shape

    def call(self, x, training=False):
        if not self._counts_padding:
            return tf.nn.avg_pool2d(x, 3, strides=1, padding="SAME")
        x = tf.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
        return tf.nn.avg_pool2d(x, 3, strides=1, padding="VALID")


def averaged(channels: int, counts_padding: bool) -> list[layers.Layer]:
    """The branch of a block that is pooled."""
    pool = AveragePooling(counts_padding=counts_padding)
    return [pool, conv(channels, 1, "branch_pool")]


def block_5(name: str, pooled_channels: int, counts_padding: bool) -> Branches:
    """Mixed_5b, 5c, 5d: 1x1, 5x5, two 3x3, pooled."""
    return Branches(
        convs("branch1x1", (64, 1)),
        convs("branch5x5", (48, 1), (64, 5)),
        convs("branch3x3dbl", (64, 1), (96, 3), (96, 3)),
        averaged(pooled_channels, counts_padding),
        name=name,
    )


def block_6a() -> Branches:
    """Mixed_6a, whose stride the paper removes: 3x3, two 3x3, max-pooled."""
    return Branches(
        convs("branch3x3", (384, 3)),
        convs("branch3x3dbl", (64, 1), (96, 3), (96, 3)),
        [blocks.PaddedMaxPooling(3, 1, (1, 1))],
        name="Mixed_6a",
    )


def block_6(name: str, width: int, counts_padding: bool) -> Branches:
    """Mixed_6b .. 6e: 1x1, one 7x7 and two 7x7 in strips, pooled."""
    flat, tall = (1, 7), (7, 1)
    double = [(width, kernel) for kernel in (1, tall, flat, tall)]
    return Branches(
        convs("branch1x1", (192, 1)),
        convs("branch7x7", (width, 1), (width, flat), (192, tall)),
        convs("branch7x7dbl", *double, (192, flat)),
        averaged(192, counts_padding),
        name=name,
    )


def block_7a() -> Branches:
    """Mixed_7a at stride 2: 3x3, 7x7 in strips with a 3x3, max-pooled."""
    long = (192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3)
    return Branches(
        convs("branch3x3", (192, 1), (320, 3), strides=2),
        convs("branch7x7x3", *long, strides=2),
        [blocks.PaddedMaxPooling(3, 2, (1, 1))],
        name="Mixed_7a",
    )


def strips(prefix: str) -> Branches:
    """A 1x3 and a 3x1 side by side."""
    flat, tall = convs(f"{prefix}a", (384, (1, 3))), convs(f"{prefix}b", (384, (3, 1)))
    return Branches(flat, tall, name=f"{prefix}_strips")


def block_7(name: str, counts_padding: bool) -> Branches:
    """Mixed_7b, 7c: 1x1, 3x3 in strips, 3x3 and strips, pooled."""
    return Branches(
        convs("branch1x1", (320, 1)),
        [conv(384, 1, "branch3x3_1"), strips("branch3x3_2")],
        [*convs("branch3x3dbl", (448, 1), (384, 3)), strips("branch3x3dbl_3")],
        averaged(192, counts_padding),
        name=name,
    )


def build_stem() -> list[layers.Layer]:
    """Pixels to 192 channels at stride 8."""
    return [
        conv(32, 3, "Conv2d_1a_3x3", 2),
        conv(32, 3, "Conv2d_2a_3x3", padding="valid"),
        conv(64, 3, "Conv2d_2b_3x3"),
        blocks.PaddedMaxPooling(3, 2, CEIL_MODE, name="pool_2"),
        conv(80, 1, "Conv2d_3b_1x1"),
        conv(192, 3, "Conv2d_4a_3x3", padding="valid"),
        blocks.PaddedMaxPooling(3, 2, CEIL_MODE, name="pool_4"),
    ]


class InceptionV3(Backbone):
    """InceptionV3 split for activation map constraint; see `Backbone`.

    Args:
      variant: "paper", average pooling counts the padding, as torchvision; "keras",
        it does not, as the weights of Keras Applications expect.
    """

    def __init__(
        self, *, num_classes: int, variant: str = "paper", classifier: dict, **kwargs
    ):
        check_choice("model.variant", variant, VARIANTS)
        counts = variant == "paper"
        widths = {"6b": 128, "6c": 160, "6d": 160, "6e": 192}
        pooled = {"5b": 32, "5c": 64, "5d": 64}
        super().__init__(
            [
                *build_stem(),
                *(block_5(f"Mixed_{n}", pool, counts) for n, pool in pooled.items()),
                block_6a(),
                *(block_6(f"Mixed_{n}", width, counts) for n, width in widths.items()),
            ],
            [block_7a(), block_7("Mixed_7b", counts), block_7("Mixed_7c", counts)],
            num_classes=num_classes,
            classifier=classifier,
            variant=variant,
            **kwargs,
        )
