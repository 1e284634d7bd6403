"""One network: photos, sides alternately, boxes compared."""

import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.method_speed import turns

PHOTOS, THREADS = 8, 2
SIDES = {  # the first one makes the weights and files the photos
    "torch": ("torch_loop", {}),
    "ours": ("our_evaluation", {"precision": "float32"}),
    "bfloat16": ("our_evaluation", {"precision": "mixed_bfloat16"}),
}


def measure(backbone: str, classes: int, *, rounds: int) -> dict:
    """backbone, classes, photos, {side: seconds of each evaluation}, equal boxes."""
    with tempfile.TemporaryDirectory() as folder:
        shared = {
            "backbone": backbone, "classes": classes, "folder": folder,
            "photos": PHOTOS, "threads": THREADS,
        }  # fmt: skip
        sides = {
            name: (
                f"benchmarks.evaluation_speed.{module}",
                {**shared, **options},
                ("evaluate",),
            )
            for name, (module, options) in SIDES.items()
        }
        results = turns.run_in_turns(sides, rounds)
        boxes = {path.stem: np.load(path) for path in Path(folder).glob("*.npy")}
    return {
        "backbone": backbone,
        "classes": classes,
        "photos": PHOTOS,
        "seconds": {name: r["seconds"]["evaluate"] for name, r in results.items()},
        "equal_boxes": {
            name: int((boxes[of] == boxes["torch_loop"]).all(axis=1).sum())
            for name, of in (("ours", "float32"), ("bfloat16", "mixed_bfloat16"))
        },
    }


def describe(row: Mapping) -> str:
    """A line: images per second, ratios (median, least to most), equal boxes."""
    seconds, photos = row["seconds"], row["photos"]
    speeds = ", ".join(
        f"{name} {photos / statistics.median(of):.2f}" for name, of in seconds.items()
    )
    ratios = []
    for name in ("ours", "bfloat16"):
        median, least, most = turns.ratios(seconds["torch"], seconds[name])
        ratios.append(
            f"{name} {median:.2f} x ({least:.2f} to {most:.2f}, "
            f"{row['equal_boxes'][name]} of {photos} boxes equal)"
        )
    return (
        f"{row['backbone']}, {row['classes']} classes: images per second {speeds}; "
        f"over torch {', '.join(ratios)}"
    )
