"""MobileNetV1 with the paper's modifications: the stride of block 6 removed.

trunk f1: 12 blocks, stride 8, 512 channels x width; head f2: the last two blocks at
stride 16, then the classifier. ReLU, symmetric padding, BatchNorm as in torch.
"""

import keras
from keras import layers

from bas_tf.errors import UserError
from bas_tf.models import blocks

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)
TRUNK = (  # (channels, stride) of each depthwise separable block
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1),
    (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1),
)  # fmt: skip
HEAD = ((1024, 2), (1024, 1))
DOWNSAMPLING = ("stride", "pool")


class DepthwiseSeparable(layers.Layer):
    """Depthwise 3x3, BatchNorm, ReLU, pointwise 1x1, BatchNorm, ReLU.

    Args:
      filters: output channels.
      strides: of the depthwise convolution.
      downsampling: where a stride of 2 is taken: "stride", by the depthwise
        convolution; "pool", by 2x2 average pooling before it.
    """

    def __init__(self, filters: int, strides: int, downsampling="stride", **kwargs):
        super().__init__(**kwargs)
        if downsampling not in DOWNSAMPLING:
            raise UserError(
                f"model.head_downsampling is {downsampling!r}; known: "
                + ", ".join(DOWNSAMPLING)
            )
        options = {"dtype": self.dtype_policy}
        pooled = strides > 1 and downsampling == "pool"
        self.depthwise = blocks.ConvNormActivation(
            None, 3, 1 if pooled else strides, name="depthwise", **options
        )
        self.pool = layers.AveragePooling2D(2, name="pool") if pooled else None
        self.pointwise = blocks.ConvNormActivation(
            filters, 1, name="pointwise", **options
        )

    def build(self, input_shape):
        if self.pool:
            input_shape = self.pool.compute_output_shape(input_shape)
        self.depthwise.build(input_shape)
        self.pointwise.build(self.depthwise.compute_output_shape(input_shape))
        self.built = True

    def compute_output_shape(self, input_shape):
        if self.pool:
            input_shape = self.pool.compute_output_shape(input_shape)
        shape = self.depthwise.compute_output_shape(input_shape)
        return self.pointwise.compute_output_shape(shape)

    def call(self, x, training=False):
        if self.pool:
            x = self.pool(x)
        return self.pointwise(self.depthwise(x, training=training), training=training)


class MobileNetV1(keras.Model):
    """MobileNetV1 split for activation map constraint.

    Attributes:
      trunk: pixels 0..255 [batch, height, width, 3] -> F [batch, h, w, 512 width].
      head: F -> class maps A [batch, h / 2, w / 2, classes].

    Args:
      num_classes: classes.
      width: multiplier of every channel count.
      head_downsampling: how the head halves: "stride", as the paper; "pool", whose
        windows are centred (see `efficientnet_lite0`).
      classifier: options of `blocks.Classifier`.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        width: float = 1.0,
        head_downsampling: str = "stride",
        classifier: dict,
        **kwargs,
    ):
        super().__init__(**kwargs)
        options = {"dtype": self.dtype_policy}
        channels = [max(8, round(c * width)) for c, _ in (*TRUNK, *HEAD)]
        separable = [
            DepthwiseSeparable(
                filters,
                strides,
                "stride" if i < len(TRUNK) else head_downsampling,
                name=f"block{i + 1}",
                **options,
            )
            for i, (filters, (_, strides)) in enumerate(
                zip(channels, (*TRUNK, *HEAD), strict=True)
            )
        ]
        stem = blocks.ConvNormActivation(
            max(8, round(32 * width)), 3, 2, name="stem", **options
        )
        scaling = blocks.PixelScaling(mean=IMAGENET_MEAN, std=IMAGENET_STD, **options)
        self.trunk = keras.Sequential(
            [scaling, stem, *separable[: len(TRUNK)]], name="trunk"
        )
        self.head = keras.Sequential(
            [
                *separable[len(TRUNK) :],
                blocks.Classifier(
                    num_classes, name="classifier", **classifier, **options
                ),
            ],
            name="head",
        )

    def call(self, images, training=False):
        features = self.trunk(images, training=training)
        return features, self.head(features, training=training)
