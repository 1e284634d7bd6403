"""Points of every axis, measured one by one, and the exponents of their curves."""

import contextlib
import math
import statistics
from collections.abc import Mapping, Sequence

from benchmarks.growth import network_cost
from benchmarks.method_speed import cases, flops, ours, turns

THREADS = 2
BASE = {"classes": 1000, "size": 224, "batch": 8}
AXES = {
    "classes": (10, 100, 1000, 10_000),
    "size": (96, 160, 224, 320, 448),
    "batch": (1, 2, 4, 8, 16, 32, 64),
    "images": (1000, 10_000, 100_000, 1_000_000),
}
SIDES = {"classes": ("ours", "plain")}  # of other axes ours alone
TASKS = {"images": ("first_batch", "batches", "judge")}  # of others a network's two
COMPUTED = {"judge": (100_000, 1_000_000)}  # points that are not measured


def measure_axis(axis: str, *, rounds: int) -> list[dict]:
    """The curves of an axis.

    Args:
      axis: of `AXES`.
      rounds: calls that count.

    Returns:
      axis, side, task, values, seconds (medians; None where nothing was measured),
      peak_mib, multiply_adds (of the batch; None where they are not counted),
      exponent, work_exponent, computed {value: seconds}.

    Raises:
      UserError: a side ends early.
    """
    return [
        _curve(axis, side, task, rounds)
        for task in TASKS.get(axis, ("train", "inference"))
        for side in SIDES.get(axis, ("ours",))
    ]


def _curve(axis: str, side: str, task: str, rounds: int) -> dict:
    computed = COMPUTED.get(task, ())
    measured = [value for value in AXES[axis] if value not in computed]
    points = [_measure(axis, side, task, value, rounds) for value in measured]
    seconds = [point["seconds"] for point in points]
    curve = {
        "axis": axis,
        "side": side,
        "task": task,
        "values": measured,
        "seconds": seconds,
        "peak_mib": [point["peak_mib"] for point in points],
        "exponent": exponent(measured, seconds),
        "multiply_adds": None,
        "work_exponent": None,
        "computed": {},
    }
    if axis != "images":
        work = [count_work(side, task, {**BASE, axis: value}) for value in measured]
        curve["multiply_adds"] = work
        curve["work_exponent"] = exponent(measured, work)
    for value in computed:
        grown = (value / measured[-1]) ** curve["exponent"]
        curve["computed"][value] = seconds[-1] * grown
    return curve


def _measure(axis: str, side: str, task: str, value: int, rounds: int) -> dict:
    settings = {"task": task, "threads": THREADS}
    if axis == "images":
        module, settings["images"] = "images_cost", value
    else:
        module = "network_cost"
        settings |= {"side": side, **BASE, axis: value}
    name = f"benchmarks.growth.{module}"
    with contextlib.closing(turns.Side(side, name, settings, (task,))) as point:
        result = turns.run_in_turns({side: point}, rounds)[side]
    return {
        "seconds": statistics.median(result["seconds"][task]),
        "peak_mib": result["peak_bytes"] / 2**20,
    }


def count_work(side: str, task: str, point: Mapping[str, int]) -> int:
    """Multiply-adds of one call, counted from the layers."""
    config = cases.load_config(network_cost.BACKBONE, point["classes"], point["size"])
    localizer = ours.build_localizer(config, point["classes"])
    parts = flops.count_parts(localizer, (point["size"],) * 2)
    work = flops.COUNTS[task](parts, as_reference=side == "plain")
    return point["batch"] * flops.total(work)


def exponent(values: Sequence[float], results: Sequence[float]) -> float:
    """The slope of log result over log value between the last two points."""
    grown = math.log(results[-1] / results[-2])
    return grown / math.log(values[-1] / values[-2])


def table(curves: Sequence[Mapping]) -> str:
    """The curves in Markdown: a line each, no final newline."""
    lines = [
        "| grows | side | task | at | milliseconds | peak MiB | exponent | of work |",
        "| --- | --- | --- | --- | --- | --- | ---: | ---: |",
    ]
    for curve in curves:
        milliseconds = [f"{1e3 * s:,.0f}" for s in curve["seconds"]]
        values = [f"{value:,}" for value in curve["values"]]
        for value, seconds in curve["computed"].items():
            values.append(f"{int(value):,}")
            milliseconds.append(f"{1e3 * seconds:,.0f} (computed)")
        work = curve["work_exponent"]
        cells = (
            curve["axis"], curve["side"], curve["task"], " / ".join(values),
            " / ".join(milliseconds),
            " / ".join(f"{mib:,.0f}" for mib in curve["peak_mib"]),
            f"{curve['exponent']:.2f}", "" if work is None else f"{work:.2f}",
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
