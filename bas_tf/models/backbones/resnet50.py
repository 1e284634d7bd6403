"""ResNet50 with the paper's modifications: layer3 and layer4 keep stride 1.

trunk f1: the stem, layer1 .. layer3, stride 8, 1024 channels; head f2: 2x2 max
pooling, layer4 at stride 16 (2048 channels), then the classifier. With a trunk at
stride 16 layer3 has stride 2 and nothing is pooled (journal extension, segmentation).
"""

import keras
from keras import layers

from bas_tf.errors import UserError, check_choice
from bas_tf.models import blocks
from bas_tf.models.backbones.backbone import Backbone

TRUNK = ((1, 3, 64, 1), (2, 4, 128, 2))  # layer, blocks, width, stride
LAST_OF_TRUNK, HEAD = (3, 6, 256), (4, 3, 512, 1)
TRUNK_STRIDES = (8, 16)
EXPANSION = 4
VARIANTS = ("paper", "keras")


class Bottleneck(blocks.Chain):
    """1x1, 3x3, 1x1 with BatchNorm, added to the input (projected where it differs).

    Args:
      width: channels inside; the output has four times as many.
      variant: which convolution takes the stride: "paper", the 3x3, as torchvision;
        "keras", the first 1x1, as the original and Keras Applications.
    """

    def __init__(self, width, strides, *, projects: bool, variant: str, **kwargs):
        super().__init__(**kwargs)
        block = blocks.ConvNormActivation
        first, second = (1, strides) if variant == "paper" else (strides, 1)
        self.conv1 = block(width, 1, first, name="conv1")
        self.conv2 = block(width, 3, second, name="conv2")
        self.conv3 = block(width * EXPANSION, 1, activation=None, name="conv3")
        self.downsample = None
        if projects:
            self.downsample = block(
                width * EXPANSION, 1, strides, activation=None, name="downsample"
            )

    def chain(self):
        return [self.conv1, self.conv2, self.conv3]

    def build(self, input_shape):
        if self.downsample:
            self.downsample.build(input_shape)
        super().build(input_shape)

    def call(self, x, training=False):
        y = x
        for conv in self.chain():
            y = conv(y, training=training)
        if self.downsample:
            x = self.downsample(x, training=training)
        return keras.activations.relu(x + y)


def build_layer(
    layer: int, repeats: int, width: int, strides: int, variant: str
) -> list[Bottleneck]:
    """layer<n>_0, layer<n>_1, ...; the first one changes the shape."""
    return [
        Bottleneck(
            width,
            1 if i else strides,
            projects=i == 0,
            variant=variant,
            name=f"layer{layer}_{i}",
        )
        for i in range(repeats)
    ]


class ResNet50(Backbone):
    """ResNet50 split for activation map constraint; see `Backbone`, `Bottleneck`."""

    def __init__(
        self,
        *,
        num_classes: int,
        variant: str = "paper",
        trunk_stride: int = 8,
        classifier: dict,
        **kwargs,
    ):
        check_choice("model.variant", variant, VARIANTS)
        if trunk_stride not in TRUNK_STRIDES:
            raise UserError(f"model.trunk_stride is {trunk_stride}; known: 8, 16")
        trunk = [
            blocks.ConvNormActivation(64, 7, 2, name="stem"),
            blocks.PaddedMaxPooling(3, 2, (1, 1), name="stem_pool"),
        ]
        for layer in (*TRUNK, (*LAST_OF_TRUNK, trunk_stride // 8)):
            trunk += build_layer(*layer, variant)
        pool = [layers.MaxPooling2D(2, name="pool")] if trunk_stride == 8 else []
        super().__init__(
            trunk,
            [*pool, *build_layer(*HEAD, variant)],
            num_classes=num_classes,
            classifier=classifier,
            variant=variant,
            trunk_stride=trunk_stride,
            **kwargs,
        )
