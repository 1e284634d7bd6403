"""The network that trainings in the tests use: small, with all parts of a large one."""

from bas_tf.models.localizer import Localizer, build_localizer


def narrow_localizer(**changes) -> Localizer:
    """MobileNetV1 of an eighth of its width, three classes, 64 pixels."""
    options = {
        "backbone": "mobilenet_v1", "num_classes": 3, "input_size_wh": (64, 64),
        "classifier": {"variant": "linear"}, "backbone_options": {"width": 0.125},
    }  # fmt: skip
    return build_localizer(**{**options, **changes})
