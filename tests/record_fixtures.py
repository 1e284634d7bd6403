"""Records the small networks anew: `python -m tests.record_fixtures [backbone ...]`.

To be run only when the numbers are meant to change, and after the parity suite
(`pytest tests/golden`) has passed: it is what makes these numbers the method's. Takes
two minutes.
"""

import io
import json
import platform
import sys

import keras
import numpy as np
import tensorflow as tf

from bas_tf.files import write_file
from tests.fixtures import networks
from tests.golden import parity_runs, weights

PARITY = (
    "the implementation that wrote this had passed tests/golden/test_parity.py against "
    "numbers recorded from the published PyTorch code, in float64: forward passes to "
    "4e-12, gradients 4e-11, the first step 1e-10, BatchNorm 3e-13, losses 3e-12"
)


def provenance() -> str:
    """JSON: what wrote a file, with which packages, and why it can be trusted."""
    document = {
        "written_by": "python -m tests.record_fixtures",
        "verified": PARITY,
        "weights": "drawn by the rule of tests/golden/weights.py",
        "precision": "float64 on the CPU",
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    return json.dumps(document)


def as_arrays(run: networks.Run) -> dict[str, np.ndarray]:
    """The content of a file but for its provenance.

    Returns:
      "eval/*" and "train/*", terms under the published code's names; "predict/*",
      under those of `bas_tf.names`; "losses", see `networks.losses`; and groups of
      statistics, which `weights.deviations` reads: "train/grad", "step1/delta",
      "step3/delta" and, where the network has BatchNorm, "step1/bn".
    """
    first = run.steps[0]
    arrays = {f"eval/{name}": array for name, array in run.evaluated.items()}
    arrays |= {f"predict/{name}": array for name, array in run.prediction.items()}
    arrays |= {f"train/{name}": array for name, array in first.terms.items()}
    arrays["losses"] = networks.losses(run)
    arrays |= statistics_group("train/grad", first.gradients)
    for step in networks.RECORDED_STEPS:
        arrays |= statistics_group(f"step{step}/delta", networks.changes(run, step))
    if first.statistics:
        arrays |= statistics_group("step1/bn", first.statistics)
    return arrays


def statistics_group(
    group: str, arrays: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """{group/names, /norm, /sum, /val} of named arrays in torch layout.

    Raises:
      ValueError: an array is zero or not finite, which nothing could be compared with.
    """
    statistics = [weights.statistics(name, array) for name, array in arrays.items()]
    for name, of_array in zip(arrays, statistics, strict=True):
        if not 0 < of_array["norm"] < np.inf:
            raise ValueError(f"{group}: {name} has norm {of_array['norm']}")
    columns = {
        f"{group}/{key}": np.array([of_array[key] for of_array in statistics])
        for key in ("norm", "sum", "val")
    }
    return {f"{group}/names": np.array(list(arrays)), **columns}


def record(network: parity_runs.Recorded) -> None:
    """Writes the file of one network."""
    arrays = as_arrays(networks.run(network))
    content = io.BytesIO()
    np.savez_compressed(content, provenance=np.array(provenance()), **arrays)
    write_file(networks.path(network), content.getvalue())
    print(f"{networks.path(network)}: {len(content.getvalue()):,} bytes")


def main(backbones: list[str]) -> None:
    """Records the given networks, or all of them."""
    for network in networks.NETWORKS:
        if not backbones or network.backbone in backbones:
            record(network)


if __name__ == "__main__":
    main(sys.argv[1:])
