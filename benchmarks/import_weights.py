r"""Time and memory of `bas_tf.import_weights` on full-width checkpoints.

  python -m benchmarks.import_weights
  python -m benchmarks.import_weights --backbone=vgg16 --naming=ilsvrc --repeats=1

Writes a checkpoint of each backbone by torch.save, with random weights and the
reference's names, imports it in a process of its own and prints one row a run: median
seconds from start to exit, and the process's largest resident size. Each checkpoint is
imported twice, read by torch and by the project's own reader. Needs torch (`make
torch`), up to 1 GB of disk in the temporary folder and about five minutes.
"""

import importlib.util
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from absl import app, flags

BACKBONES = ("vgg16", "resnet50", "mobilenet_v1", "inception_v3")
CLASSES = {"cub": 200, "ilsvrc": 1000}
# What the reference's ILSVRC models save twice: the original -> its copy.
COPIES = (
    (r"^conv5_(\d)\.", r"conv_copy_5_\1."),
    (r"^(layer4|classifier_cls|Mixed_7[abc])\.", r"\1_copy."),
    (r"^model\.(12|13)\.", r"erase_branch.\1."),
)
READERS = {
    "torch": "",
    "own": "sys.modules['torch'] = None; ",  # as if it were not installed
}
IMPORT = "import runpy, sys; {}runpy.run_module({!r}, run_name='__main__')"
COMMAND = "bas_tf.import_weights"
LIMITS = "limits: 30 s, 3 GiB"


class Cost(NamedTuple):
    """Of one process, from its start to its exit."""

    seconds: float
    peak_bytes: int


def write_checkpoint(path: str, backbone: str, naming: str) -> None:
    """A checkpoint of the reference with random weights, as DataParallel saves it."""
    import numpy as np
    import torch

    from bas_tf.models.localizer import build_localizer
    from bas_tf.models.weights.assign import model_variables
    from bas_tf.models.weights.torch_names import torch_layout, torch_name

    localizer = build_localizer(
        backbone=backbone, num_classes=CLASSES[naming], input_size_wh=(32, 32)
    )
    rng, state = np.random.default_rng(0), {}
    for variable in model_variables(localizer):
        array = torch_layout(rng.random(variable.shape, np.float32), variable.path)
        name = torch_name(variable.path, backbone)
        state[name] = torch.from_numpy(array.copy())
        if name.endswith("running_var"):
            counter = name.replace("running_var", "num_batches_tracked")
            state[counter] = torch.tensor(1)
    if naming == "ilsvrc":
        state |= copies(state)
    state = {f"module.{name}": tensor for name, tensor in state.items()}
    torch.save({"epoch": 1, "state_dict": state}, path)


def copies(state: dict) -> dict:
    """The entries that ILSVRC models save twice, as tensors of their own."""
    return {
        re.sub(pattern, copy, name): tensor.clone()
        for pattern, copy in COPIES
        for name, tensor in state.items()
        if re.match(pattern, name)
    }


def cost_of(arguments: list[str]) -> Cost:
    """Runs Python with these arguments; stops the benchmark when that fails."""
    start = time.monotonic()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"error: {' '.join(arguments)}: exit code {process.returncode}")
    return Cost(time.monotonic() - start, usage.ru_maxrss * 1024)  # Linux: KiB


def import_arguments(
    backbone: str, naming: str, checkpoint: Path, reader: str
) -> list[str]:
    """Of a Python process that imports the checkpoint by one of the READERS."""
    return [
        "-c", IMPORT.format(READERS[reader], COMMAND), "--source=bas_official",
        f"--backbone={backbone}", f"--num_classes={CLASSES[naming]}",
        f"--checkpoint={checkpoint}", f"--output={checkpoint.parent}/out.weights.h5",
    ]  # fmt: skip


def measure(backbone: str, naming: str, repeats: int) -> None:
    """Prints a row for each reader."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "checkpoint.pth.tar"
        # In a process of its own: on Linux a child's peak starts at its parent's.
        writer = "import sys; from benchmarks.import_weights import write_checkpoint; "
        cost_of(
            ["-c", f"{writer}write_checkpoint(*sys.argv[1:])", checkpoint, backbone,
             naming]
        )  # fmt: skip
        for reader in READERS:
            arguments = import_arguments(backbone, naming, checkpoint, reader)
            costs = [cost_of(arguments) for _ in range(repeats)]
            seconds = statistics.median(cost.seconds for cost in costs)
            peak = max(cost.peak_bytes for cost in costs)
            size = checkpoint.stat().st_size
            print(
                f"{backbone:<13} {naming:<7} {size / 2**20:>8.0f} {reader:<7} "
                f"{seconds:>8.1f} {peak / 2**30:>9.2f}",
                flush=True,
            )


def main(args: list[str]) -> None:
    if args[1:]:
        sys.exit(f"error: unexpected argument {args[1]!r}; see --help")
    if importlib.util.find_spec("torch") is None:
        sys.exit("error: torch is not installed; it writes the checkpoints: make torch")
    values = flags.FLAGS
    print(f"{'backbone':<13} {'naming':<7} {'file MiB':>8} {'reader':<7} ", end="")
    print(f"{'seconds':>8} {'peak GiB':>9}   ({LIMITS})")
    for backbone in values.backbone:
        measure(backbone, values.naming, values.repeats)


if __name__ == "__main__":
    flags.DEFINE_multi_enum("backbone", BACKBONES, BACKBONES, "Repeat for several.")
    flags.DEFINE_enum(
        "naming", "cub", list(CLASSES), "200 classes, or 1,000 and copies"
    )
    flags.DEFINE_integer("repeats", 3, "Imports of each checkpoint", lower_bound=1)
    app.run(main)
