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
    """conv<stage>_1, conv<stage>_2, ...: 3x3 with a ReLU each."""
    return [
        Conv2D(
            channels, 3, padding="same", activation="relu",
            kernel_initializer="he_normal", name=f"conv{stage}_{i + 1}",
        )
        for i in range(repeats)
    ]  # fmt: skip


def build_pool(stage: int) -> layers.Layer:
    """The 2x2 max pooling behind a stage."""
    return layers.MaxPooling2D(2, name=f"pool{stage}")


def build_trunk() -> list[layers.Layer]:
    """Stages 1 to 4, pooled in between but not at the end."""
    trunk = []
    for stage, repeats, channels in TRUNK:
        trunk += [*build_stage(stage, repeats, channels), build_pool(stage)]
    return trunk[:-1]


class VGG16(Backbone):
    """VGG16 split for activation map constraint.

    Args:
      num_classes: classes.
      classifier: options of `blocks.Classifier`.
    """

    def __init__(self, *, num_classes: int, classifier: dict, **kwargs):
        super().__init__(
            build_trunk(),
            [build_pool(TRUNK[-1][0]), *build_stage(*HEAD)],
            num_classes=num_classes,
            classifier=classifier,
            **kwargs,
        )
