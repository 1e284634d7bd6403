"""VGG16 with the paper's modifications: no pool5, the trunk ends at conv4_3.

trunk f1: conv1_1 .. conv4_3, stride 8, 512 channels; head f2: pool4, conv5_1 .. 3 at
stride 16, then the classifier. No BatchNorm; the convolutions have biases.
"""

from keras import layers

from bas_tf.models.backbones.backbone import Backbone
from bas_tf.models.convolution import Conv2D

TRUNK = ((1, 2, 64), (2, 2, 128), (3, 3, 256), (4, 3, 512))  # stage, convs, channels
HEAD = (5, 3, 512)


def build_stage(stage: int, repeats: int, channels: int) -> list[layers.Layer]:
    """The pooling behind the stage before; conv<stage>_1, ...: 3x3 with a ReLU each."""
    pool = [layers.MaxPooling2D(2, name=f"pool{stage - 1}")] if stage > 1 else []
    return pool + [
        Conv2D(
            channels, 3, padding="same", activation="relu",
            kernel_initializer="he_normal", name=f"conv{stage}_{i + 1}",
        )
        for i in range(repeats)
    ]  # fmt: skip


class VGG16(Backbone):
    """VGG16 split for activation map constraint; see `Backbone`."""

    def __init__(self, *, num_classes: int, classifier: dict, **kwargs):
        super().__init__(
            [layer for stage in TRUNK for layer in build_stage(*stage)],
            build_stage(*HEAD),
            num_classes=num_classes,
            classifier=classifier,
            **kwargs,
        )
