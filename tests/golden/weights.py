"""The recorded networks' weights, rebuilt by their rule, and statistics of arrays.

The recorded numbers hold no weights: each state-dict entry is drawn from a generator
that is seeded by the entry's name. Layouts are PyTorch's: convolutions OIHW (depthwise
[channels, 1, kh, kw]), activations NCHW.
"""

import json
import re
import zlib
from pathlib import Path

import numpy as np

CUB = {  # the recorded network of a backbone
    "vgg16": "cub_vgg",
    "resnet50": "cub_resnet",
    "mobilenet_v1": "cub_mobilenet",
    "inception_v3": "cub_inception",
}
ILSVRC = {k: name.replace("cub", "ilsvrc") for k, name in CUB.items()}
# The duplicated tail of the ILSVRC networks takes the values of its original.
DUPLICATES = (
    (r"^conv_copy_5_(\d)\.", r"conv5_\1."),
    (r"^(classifier_cls|layer4|Mixed_7[abc])_copy\.", r"\1."),
    (r"^erase_branch\.", "model."),
)


def state_dict(shared_dir: Path, model: str) -> dict[str, np.ndarray]:
    """Every entry of the state dict of a model, a value of CUB or ILSVRC, in order.

    All are float32; `num_batches_tracked` is a zero of shape [].
    """
    shapes = entry_shapes(shared_dir, model)
    return {
        name: entry(canonical_name(name), shape, shapes)
        for name, shape in shapes.items()
    }


def entry_shapes(shared_dir: Path, model: str) -> dict[str, tuple[int, ...]]:
    """{state-dict name: shape} of a model, in the recorded order."""
    text = (shared_dir / "golden" / "names.json").read_text()
    return {name: tuple(shape) for name, shape in json.loads(text)[model]}


def canonical_name(name: str) -> str:
    """The name that seeds an entry: a duplicate's is its original's."""
    for pattern, replacement in DUPLICATES:
        name = re.sub(pattern, replacement, name)
    return name


def entry(
    name: str, shape: tuple[int, ...], shapes: dict[str, tuple[int, ...]]
) -> np.ndarray:
    """One entry by the rule, float32; float64 until the last cast.

    Args:
      name: its canonical name, which seeds it.
      shapes: of every entry, by name: they tell which belong to a BatchNorm.
    """
    owner, kind = name.rsplit(".", 1)
    z = np.random.RandomState(_seed(name)).standard_normal(shape)
    in_batch_norm = f"{owner}.running_mean" in shapes
    if kind == "num_batches_tracked":
        value = np.zeros(shape)
    elif kind == "running_var":
        value = 1.0 + 0.1 * np.abs(z)
    elif kind == "running_mean":
        value = 0.1 * z
    elif in_batch_norm:
        value = 1.0 + 0.1 * z if kind == "weight" else 0.1 * z
    elif kind == "weight":
        value = z * np.sqrt(2.0 / np.prod(shape[1:]))
    else:
        value = 0.01 * z
    return np.asarray(_adjusted(name, value)).astype(np.float32)


def _adjusted(name: str, value: np.ndarray) -> np.ndarray:
    """Exceptions that keep scores, maps and the ratio term away from trivial values."""
    if name in ("classifier.4.weight", "classifier_cls.4.weight"):
        return value * 0.5
    if name in ("classifier.4.bias", "classifier_cls.4.bias"):
        return value + 0.75
    return value * 0.3 if name.endswith(".bn3.weight") else value


def _seed(text: str) -> int:
    return zlib.crc32(text.encode()) & 0x7FFFFFFF


def golden(shared_dir: Path, model: str) -> dict[str, np.ndarray]:
    """All arrays of a recorded file; "f64/..." keys are the truth."""
    with np.load(shared_dir / "golden" / f"{model}.npz") as arrays:
        return dict(arrays)


def images(shared_dir: Path) -> np.ndarray:
    """The recorded input, float32 [4, 3, 224, 224] NCHW, already standardised."""
    with np.load(shared_dir / "golden" / "input.npz") as arrays:
        return arrays["x"].astype(np.float32)


def torch_layout(array: np.ndarray, path: str) -> np.ndarray:
    """The inverse of `torch_names.keras_layout` for a variable of this path."""
    if array.ndim != 4:
        return array
    is_depthwise = path.endswith("depthwise/conv/kernel")
    return array.transpose((2, 3, 0, 1) if is_depthwise else (3, 2, 0, 1))


def sample_indices(name: str, size: int) -> np.ndarray:
    """Flat C-order indices of the 16 recorded elements of an array of that name."""
    return np.random.RandomState(_seed(f"idx:{name}")).randint(0, size, 16)


def statistics(name: str, array: np.ndarray) -> dict[str, float | np.ndarray]:
    """What is recorded of an array in torch layout: its L2 norm, its sum, 16 elements.

    The name, exactly as recorded, chooses these. All are float64.
    """
    flat = np.asarray(array, np.float64).ravel()
    return {
        "norm": np.sqrt(np.dot(flat, flat)),
        "sum": flat.sum(),
        "val": flat[sample_indices(name, flat.size)],
    }


def deviation(ours, truth) -> float:
    """The largest difference, in the largest value of the truth."""
    return float(np.abs(ours - truth).max() / np.abs(truth).max())


def assert_close(off: dict[str, float], tolerance: float | dict[str, float]) -> None:
    """None is above its tolerance, one for all or one a name; nor NaN."""
    if not isinstance(tolerance, dict):
        tolerance = dict.fromkeys(off, tolerance)
    wrong = {name: value for name, value in off.items() if not value <= tolerance[name]}
    assert not wrong, wrong


def assert_statistics(recorded, group: str, arrays, tolerance: float) -> None:
    """`deviations` within the tolerance, of every array."""
    off = deviations(recorded, group, arrays)
    assert off.keys() == arrays.keys()  # nothing of ours without a record
    assert_close(off, tolerance)


def deviations(
    recorded: dict[str, np.ndarray], group: str, arrays: dict[str, np.ndarray]
) -> dict[str, float]:
    """How far named arrays are from a recorded group of statistics.

    Args:
      group: key prefix such as "f64/train/grad", which has /names, /norm, /sum, /val.
      arrays: {name: array in torch layout}; names that were not recorded are ignored.

    Returns:
      {recorded name: the largest of three: |norm - norm0| / norm0,
      |sum - sum0| / norm0, max |val - val0| / rms0}. A sum cancels, so the norm is its
      scale; rms0 = norm0 / sqrt(size). No array is recorded as zero.

    Raises:
      KeyError: a recorded name is missing from `arrays`.
    """
    out = {}
    for i, name in enumerate(recorded[f"{group}/names"].tolist()):
        ours, norm = statistics(name, arrays[name]), recorded[f"{group}/norm"][i]
        off = [
            abs(ours["norm"] - norm),
            abs(ours["sum"] - recorded[f"{group}/sum"][i]),
            np.abs(ours["val"] - recorded[f"{group}/val"][i]).max()
            * np.sqrt(np.size(arrays[name])),
        ]
        # max() skips a NaN that does not come first; np.max does not.
        out[name] = float(np.max(off) / norm)
    return out
