"""The networks that trainings in the tests use: small, with all parts of large ones."""

import contextlib
from collections.abc import Iterator

from bas_tf.configs import drawings_multilabel
from bas_tf.models import backbones, blocks
from bas_tf.models.backbones.backbone import Backbone
from bas_tf.models.backbones.mobilenet_v1 import VARIANTS, DepthwiseSeparable, scaled
from bas_tf.models.localizer import Localizer, build_localizer

NAME = "shallow"


class ShallowMobileNet(Backbone):
    """MobileNetV1 with three of its thirteen blocks, which are traced much sooner.

    Takes what `MobileNetV1` takes.
    """

    def __init__(self, *, num_classes, classifier, width=1.0,
                 head_downsampling="stride", **kwargs):  # fmt: skip
        options = VARIANTS["paper"]
        pools = head_downsampling == "pool"
        stem = blocks.ConvNormActivation(
            scaled(32, width), 3, 2, name="stem", **options
        )
        block1, block2, block3 = (
            DepthwiseSeparable(
                scaled(channels, width), 2, pools=pools and channels == 256,
                options=options, name=f"block{i}",
            )
            for i, channels in enumerate((64, 128, 256), 1)
        )  # fmt: skip
        super().__init__(
            [stem, block1, block2], [block3],
            num_classes=num_classes, classifier=classifier, **kwargs,
        )  # fmt: skip


@contextlib.contextmanager
def shallow_backbone() -> Iterator[str]:
    """Its name, a backbone's among the others inside."""
    backbones.BACKBONES[NAME] = ShallowMobileNet
    backbones.OPTIONS[NAME] = ("width", "head_downsampling")
    try:
        yield NAME
    finally:
        del backbones.BACKBONES[NAME], backbones.OPTIONS[NAME]


def several_classes_config(backbone: str):
    """Of a student of two classes a photo, and its teacher: three short epochs."""
    config = drawings_multilabel.get_config("quicktest")
    config.data.num_images = {"train": 32, "val": 8, "test": 8}
    config.train.epochs, config.train.classifier_epochs = 1, 0
    config.train.self_training_rounds = 1
    config.train.self_training_epochs = 2
    config.model.backbone = backbone
    return config


def narrow_localizer(**changes) -> Localizer:
    """The shallow network at an eighth of its width, three classes, 64 pixels."""
    options = {
        "backbone": NAME, "num_classes": 3, "input_size_wh": (64, 64),
        "classifier": {"variant": "linear"}, "backbone_options": {"width": 0.125},
    }  # fmt: skip
    with shallow_backbone():
        return build_localizer(**{**options, **changes})
