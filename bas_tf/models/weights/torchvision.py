"""torchvision's ImageNet classifiers: VGG16, ResNet50, InceptionV3."""

import re

from bas_tf.errors import UserError
from bas_tf.models.localizer import Localizer
from bas_tf.models.weights.assign import Weights
from bas_tf.models.weights.torch_file import read_state_dict
from bas_tf.models.weights.torch_names import keras_layout, torch_name

# What belongs to the ImageNet classifier, by backbone.
IGNORED = {
    "vgg16": r"classifier\.",
    "resnet50": r"fc\.",
    "inception_v3": r"fc\.|AuxLogits\.",
}
# Of each stage's first convolution in `features`: a ReLU follows every one.
VGG16_STAGES = {"conv1": 0, "conv2": 5, "conv3": 10, "conv4": 17, "conv5": 24}


def read(localizer: Localizer, path) -> Weights:
    """The weights of a classifier's state dict, without the classifier itself.

    Raises:
      UserError: a backbone that torchvision does not have, or an unreadable file.
    """
    backbone = localizer.backbone_name
    if backbone not in IGNORED:
        raise UserError(
            f"--backbone={backbone}: torchvision has weights for {', '.join(IGNORED)}"
        )
    state = read_state_dict(path)
    ignored = re.compile(rf"({IGNORED[backbone]})|.*num_batches_tracked$")
    return Weights(
        origin=str(path),
        arrays={n: keras_layout(a) for n, a in state.items() if not ignored.match(n)},
        name_of=lambda variable: torchvision_name(variable, backbone),
        scaling="torch",
        ignored=tuple(n for n in state if ignored.match(n)),
    )


def torchvision_name(path: str, backbone: str) -> str | None:
    """A variable's name in torchvision; None for classifier and generator."""
    name = torch_name(path, backbone)
    if name is None or name.startswith("classifier_"):
        return None
    if backbone == "vgg16":
        stage, number, leaf = re.split("[_.]", name)
        return f"features.{VGG16_STAGES[stage] + 2 * (int(number) - 1)}.{leaf}"
    return name
