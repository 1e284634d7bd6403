"""MobileNetV1 with the paper's modifications: the stride of block 6 removed.

trunk f1: 12 blocks, stride 8, 512 channels x width; head f2: the last two blocks at
stride 16, then the classifier. ReLU, symmetric padding, BatchNorm as in torch.
"""

from keras import layers

from bas_tf.errors import check_choice
from bas_tf.models import blocks
from bas_tf.models.backbones.backbone import Backbone

TRUNK = (  # (channels, stride) of each depthwise separable block
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1),
    (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1),
)  # fmt: skip
HEAD = ((1024, 2), (1024, 1))
DOWNSAMPLING = ("stride", "pool")
VARIANTS = {  # padding and activation of every convolution
    "paper": {"padding": "symmetric", "activation": "relu"},
    "keras": {"padding": "end", "activation": "relu6"},
}


class DepthwiseSeparable(blocks.Chain):
    """Depthwise 3x3, BatchNorm, ReLU, pointwise 1x1, BatchNorm, ReLU.

    Args:
      pools: whether a stride of 2 is taken by 2x2 average pooling before the
        depthwise convolution instead.
      options: padding and activation of the two convolutions.
    """

    def __init__(self, filters: int, strides: int, *, pools=False, options, **kwargs):
        super().__init__(**kwargs)
        pooled = pools and strides > 1
        self.depthwise = blocks.ConvNormActivation(
            None, 3, 1 if pooled else strides, name="depthwise", **options
        )
        self.pool = layers.AveragePooling2D(2, name="pool") if pooled else None
        self.pointwise = blocks.ConvNormActivation(
            filters, 1, name="pointwise", **options
        )

    def chain(self):
        pool = [self.pool] if self.pool else []
        return [*pool, self.depthwise, self.pointwise]

    def call(self, x, training=False):
        if self.pool:
            x = self.pool(x)
        return self.pointwise(self.depthwise(x, training=training), training=training)


class MobileNetV1(Backbone):
    """MobileNetV1 split for activation map constraint; see `Backbone`.

    Args:
      width: multiplier of every channel count.
      head_downsampling: how the head halves: "stride", as the paper; "pool", whose
        windows are centred (see `efficientnet_lite0`).
      variant: "paper"; or "keras", whose weights expect ReLU6 and zeros at the end
        of a stride-2 window only.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        width: float = 1.0,
        head_downsampling: str = "stride",
        variant: str = "paper",
        classifier: dict,
        **kwargs,
    ):
        check_choice("model.head_downsampling", head_downsampling, DOWNSAMPLING)
        check_choice("model.variant", variant, tuple(VARIANTS))
        options = VARIANTS[variant]
        stem = blocks.ConvNormActivation(
            scaled(32, width), 3, 2, name="stem", **options
        )
        separable = [
            DepthwiseSeparable(
                scaled(channels, width),
                strides,
                pools=i >= len(TRUNK) and head_downsampling == "pool",
                options=options,
                name=f"block{i + 1}",
            )
            for i, (channels, strides) in enumerate((*TRUNK, *HEAD))
        ]
        super().__init__(
            [stem, *separable[: len(TRUNK)]],
            separable[len(TRUNK) :],
            num_classes=num_classes,
            classifier=classifier,
            variant=variant,
            **kwargs,
        )


def scaled(channels: int, width: float) -> int:
    """A channel count times the width multiplier, at least eight."""
    return max(8, round(channels * width))
