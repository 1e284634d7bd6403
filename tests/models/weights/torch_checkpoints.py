"""Checkpoints as the reference and torchvision save them, in the names of `torch_name`.

That these are the published names, test_torch_names.py compares with recorded ones;
tests/models/test_regression.py draws weights by them and compares what they give.
"""

import numpy as np

from bas_tf.models.weights.assign import model_variables
from bas_tf.models.weights.torch_names import torch_name
from tests.golden.weights import torch_layout
from tests.models.weights.legacy_torch import contiguous
from tests.training.narrow import narrow_localizer

COUNTER = "num_batches_tracked"


def build(backbone="mobilenet_v1", *, num_classes=3, hidden=8, **options):
    """A localizer with the paper's classifier, its hidden layers so wide."""
    return narrow_localizer(
        backbone=backbone, num_classes=num_classes, classifier={"width": hidden},
        backbone_options=options,
    )  # fmt: skip


def reference_shapes(localizer):
    """{name: shape} of a checkpoint of the reference for such a localizer."""
    shapes = {
        torch_name(v.path, localizer.backbone_name): torch_layout(
            np.asarray(v), v.path
        ).shape
        for v in model_variables(localizer)
    }
    norms = [n.rpartition(".")[0] for n in shapes if n.endswith("running_mean")]
    return shapes | {f"{norm}.{COUNTER}": () for norm in norms}


def random_state(shapes, rng):
    """{name: array}; kernels keep features at the order of one, counters are int64."""
    return {name: _random_array(name, shape, rng) for name, shape in shapes.items()}


def _random_array(name, shape, rng):
    if name.endswith(COUNTER):
        return np.array(7, np.int64)
    values = rng.random(shape, np.float32)
    if len(shape) == 4:  # uniform within +-s has the variance s * s / 3 = 2 / inputs
        return (2 * values - 1) * np.float32(np.sqrt(6 / np.prod(shape[1:])))
    if name.endswith(("running_var", "weight")):
        return values + 0.5
    return 0.2 * values - 0.1


def checkpoint(state, written, prefix=""):
    """The bytes of a file; `written` is `legacy_file` or `zip_file`."""
    return written(
        {
            f"{prefix}{n}": contiguous(str(i), a)
            for i, (n, a) in enumerate(state.items())
        }
    )


def assert_holds(localizer, state):
    """Every variable that the state names equals its entry; returns their number."""
    count = 0
    for variable in model_variables(localizer):
        name = torch_name(variable.path, localizer.backbone_name)
        if name in state:
            held = torch_layout(np.asarray(variable), variable.path)
            np.testing.assert_array_equal(held, state[name], err_msg=name)
            count += 1
    return count
