"""Medians, ratios and shares of the ceiling from rows, and their table."""

import statistics
from collections.abc import Mapping, Sequence

from bas_tf.report import text_table
from benchmarks.method_speed import cases, matrix_product, turns

TITLES = {"train": "train, 8", "network_1": "infer, 1", "network_8": "infer, 8"}
HEAD = (
    "network", "classes", "images", "ours ms", "bf16", "plain", "torch", "plain / ours",
    "torch / ours", "expected", "ours / bf16", "of ceiling",
    "MiB an image: ours, bf16, plain, torch",
)  # fmt: skip
TIMED = ("ours", "bfloat16", "plain", "torch")


def figures_of(row: Mapping) -> list[dict]:
    """A row of `measure_network` in numbers to show, a dict for each of `BATCHES`.

    Returns:
      backbone, classes, task;
      milliseconds: {side: median of a call};
      ratios: {side: [median, least, most] of its time over ours}; "bfloat16" is our
        time over it;
      expected: multiply-adds of the reference over ours;
      share_of_ceiling: of the float32 matrix product's speed, ours;
      mib_per_image: {side: peak less level, over the batch}, of training alone.
    """
    return [
        _figures(row, phase, task)
        for phase, tasks in cases.PHASES.items()
        for task in tasks
    ]


def _figures(row: Mapping, phase: str, task: str) -> dict:
    sides = {k: v for k, v in row["phases"][phase].items() if k != "ceiling"}
    seconds = {name: side["seconds"][task] for name, side in sides.items()}
    ours, batch = seconds["ours"], cases.BATCHES[task]
    counted = row["multiply_adds"][phase]
    product = row["phases"][phase]["ceiling"]["seconds"]["float32"]
    work = counted["ours"]
    at_ceiling = 2 * work * batch / matrix_product.FLOP  # products a call
    ratios = {
        name: turns.ratios(ours, of) if name == "bfloat16" else turns.ratios(of, ours)
        for name, of in seconds.items()
        if name != "ours"
    }
    return {
        "backbone": row["backbone"],
        "classes": row["classes"],
        "task": task,
        "milliseconds": {k: 1e3 * statistics.median(v) for k, v in seconds.items()},
        "ratios": ratios,
        "expected": counted["reference"] / work,
        "share_of_ceiling": at_ceiling * turns.ratios(product, ours)[0],
        "mib_per_image": {
            name: (side["peak_bytes"] - side["level_bytes"]) / 2**20 / batch
            for name, side in sides.items()
            if phase == "train"
        },
    }


def speed_table(rows: Sequence[Mapping]) -> str:
    """The rows in Markdown, a line for each network and task; no final newline."""
    lines = [_cells(found) for row in rows for found in figures_of(row)]
    settings = rows[0]["settings"]
    return (
        f"{settings['size']} pixels, {settings['threads']} threads, "
        f"{settings['rounds']} rounds, {settings['cpu']}\n\n"
        + text_table.markdown([HEAD, *lines], text_columns=3)
    )


def _cells(found: Mapping) -> list[str]:
    timed, memory = found["milliseconds"], found["mib_per_image"]
    return [
        found["backbone"],
        f"{found['classes']:,}",
        TITLES[found["task"]],
        *(f"{timed[name]:,.0f}" if name in timed else "" for name in TIMED),
        _ratio_cell(found["ratios"].get("plain")),
        _ratio_cell(found["ratios"].get("torch")),
        f"{found['expected']:.2f}",
        _ratio_cell(found["ratios"].get("bfloat16")),
        f"{found['share_of_ceiling']:.0%}",
        ", ".join(f"{memory[name]:.0f}" for name in TIMED if name in memory),
    ]


def _ratio_cell(ratios: Sequence[float] | None) -> str:
    if ratios is None:
        return ""
    middle, least, most = ratios
    return f"{middle:.2f} ({least:.2f} to {most:.2f})"
