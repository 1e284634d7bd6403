"""Checkpoints of the method's PyTorch reference, CUB and ILSVRC alike."""

import re

from bas_tf.errors import UserError
from bas_tf.models.localizer import Localizer
from bas_tf.models.weights.assign import Weights
from bas_tf.models.weights.torch_file import read_state_dict
from bas_tf.models.weights.torch_names import (
    BACKBONE_RULES,
    keras_layout,
    torch_name,
)

# The ILSVRC models save the constant copies of their head next to the originals.
COPIES = re.compile(r"\w+_copy\.|conv_copy_5_\d\.|erase_branch\.")
COUNTERS = "num_batches_tracked"


def read(localizer: Localizer, path) -> Weights:
    """The weights of a `.pth` or `.pth.tar` file.

    Raises:
      UserError: a backbone that the reference does not have, or an unreadable file.
    """
    backbone = localizer.backbone_name
    if backbone not in BACKBONE_RULES:
        raise UserError(
            f"--backbone={backbone}: bas_official has weights for "
            f"{', '.join(BACKBONE_RULES)}"
        )
    state = read_state_dict(path)
    arrays, ignored = {}, []
    for name, array in state.items():
        name = canonical(name)
        if COPIES.match(name) or name.endswith(COUNTERS):
            ignored.append(name)
        else:
            arrays[name] = keras_layout(array)
    return Weights(
        origin=str(path),
        arrays=arrays,
        name_of=lambda variable: torch_name(variable, backbone),
        scaling="torch",
        ignored=tuple(ignored),
    )


def canonical(name: str) -> str:
    """The ILSVRC naming: without DataParallel's prefix; CUB's Inception names its head
    `classifier`, the segmentation network its only convolution without a number."""
    name = name.removeprefix("module.")
    name = re.sub(r"^classifier\.", "classifier_cls.", name)
    return re.sub(r"^classifier_cls\.weight$", "classifier_cls.4.weight", name)
