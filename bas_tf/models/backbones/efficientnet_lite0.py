"""EfficientNet-Lite0 with two strides removed, split inside its last block.

The 80- and 192-channel stages keep stride 1, so the trunk stays at stride 8. It ends
after the ReLU6 of the last block's expansion (1,152 channels): hiding multiplies by
zero, and zero means "nothing there" only behind a ReLU. The head is the rest at
stride 16: 2x2 average pooling, depthwise 3x3, projection, 1x1 to 1,280, classifier.

Removing a stride moves what a window sees: the weights of a stride-2 window look
between two pixels (training images are mirrored), so at stride 1 they look half a
pixel aside, and features lie 3 to 4 pixels next to the object (measured on butterflies
at 160 pixels by mirroring and flipping the input). The depthwise layer of the
192-channel stage therefore gets an even window, 6x6, whose ImageNet weights are the
mean of the odd window's four placements: that centres both layers' sum; one in each
stage moves features as far to the other side. The head halves by pooling, not by a
stride, for the same reason: 2x2 windows are centred.
"""

from keras import layers

from bas_tf.models import blocks
from bas_tf.models.backbones.backbone import Backbone

EPSILON = 1e-3
STAGES = (  # (repeats, first kernel, kernel, stride, expansion, channels)
    (1, 3, 3, 1, 1, 16),
    (2, 3, 3, 2, 6, 24),
    (2, 5, 5, 2, 6, 40),
    (3, 3, 3, 1, 6, 80),  # stride 2 in Lite0
    (3, 5, 5, 1, 6, 112),
    (4, 6, 5, 1, 6, 192),  # kernel 5, stride 2 in Lite0
)
LAST_EXPANSION, LAST_CHANNELS, HEAD_CHANNELS = 1152, 320, 1280


def conv_norm(filters, kernel_size, strides=1, *, activation="relu6", **kwargs):
    """A convolution block with this network's constants (TensorFlow's SAME)."""
    return blocks.ConvNormActivation(
        filters,
        kernel_size,
        strides,
        padding="same",
        activation=activation,
        epsilon=EPSILON,
        **kwargs,
    )


class InvertedResidual(blocks.Chain):
    """Expand 1x1, depthwise k x k, project 1x1 without activation, skip if it fits."""

    def __init__(self, channels_in, kernel, strides, expansion, channels, **kwargs):
        super().__init__(**kwargs)
        wide = channels_in * expansion
        self.steps = [
            conv_norm(None, kernel, strides, name="depthwise"),
            conv_norm(channels, 1, activation=None, name="project"),
        ]
        if expansion > 1:
            self.steps.insert(0, conv_norm(wide, 1, name="expand"))
        self.skip = strides == 1 and channels_in == channels

    def chain(self):
        return self.steps

    def call(self, x, training=False):
        y = x
        for step in self.steps:
            y = step(y, training=training)
        return x + y if self.skip else y


def build_stages() -> list[InvertedResidual]:
    """The fifteen inverted residuals that lie wholly in the trunk."""
    stages, channels_in = [], 32
    for repeats, first_kernel, kernel, stride, expansion, channels in STAGES:
        for repeat in range(repeats):
            stages.append(
                InvertedResidual(
                    channels_in,
                    kernel if repeat else first_kernel,
                    1 if repeat else stride,
                    expansion,
                    channels,
                    name=f"block{len(stages)}",
                )
            )
            channels_in = channels
    return stages


class EfficientNetLite0(Backbone):
    """EfficientNet-Lite0 split for activation map constraint; see `Backbone`."""

    def __init__(self, *, num_classes: int, classifier: dict, **kwargs):
        stem = conv_norm(32, 3, 2, name="stem")
        expand = conv_norm(LAST_EXPANSION, 1, name="expand")
        super().__init__(
            [stem, *build_stages(), expand],
            [
                layers.AveragePooling2D(2, name="pool"),
                conv_norm(None, 3, name="depthwise"),
                conv_norm(LAST_CHANNELS, 1, activation=None, name="project"),
                conv_norm(HEAD_CHANNELS, 1, name="conv_head"),
            ],
            num_classes=num_classes,
            classifier=classifier,
            scaling="lite",
            **kwargs,
        )
