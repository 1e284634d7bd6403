"""From networks to the rows of the JSON, each measured once."""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bas_tf import files
from bas_tf.errors import check_choice
from bas_tf.jobs import resuming
from bas_tf.report.plots.chart_style import png_of
from benchmarks.method_speed import cases, figures, flops, ours, plot, turns

SIZE, THREADS = 224, 2


def measure_network(backbone: str, classes: int, settings: Mapping) -> dict:
    """A row of the JSON: every call's seconds, memory and multiply-adds."""
    network = {"backbone": backbone, "classes": classes}
    return {
        **network,
        "settings": settings,
        "multiply_adds": count_work(backbone, classes, settings["size"]),
        "phases": {
            phase: turns.take_turns(phase, network, settings) for phase in cases.PHASES
        },
    }


def count_work(backbone: str, classes: int, size: int) -> dict:
    """{phase: {"ours" and "reference": multiply-adds of an image}}."""
    config = cases.load_config(backbone, classes, size)
    localizer = ours.build_localizer(config, classes)
    parts = flops.count_parts(localizer, (size, size))
    return {
        phase: {
            "ours": count(parts, as_reference=False),
            "reference": count(parts, as_reference=True),
        }
        for phase, count in flops.COUNTS.items()
    }


def make_settings(rounds: int, size: int = SIZE) -> dict:
    """What two rows must have in common to be in one table."""
    return {
        "size": size,
        "threads": THREADS,
        "rounds": rounds,
        "sides": turns.sides_here(),
        "versions": resuming.versions(),
        "cpu": _cpu_name(),
    }


def _cpu_name() -> str:
    about = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = re.search(r"^model name\s*: (.*)$", about, re.M)
    return found[1] if found else "unknown"


def parse_networks(
    backbones: Sequence[str], classes: Sequence[str]
) -> list[tuple[str, int]]:
    """Every backbone with every number of classes; UserError for unknown ones."""
    numbers = {str(number): number for number in cases.FLAVOURS}
    for flag, values, known in (
        ("backbones", backbones, cases.BACKBONES),
        ("classes", classes, numbers),
    ):
        for value in values or [""]:
            check_choice(f"--{flag}", value, known)
    return [(backbone, numbers[n]) for backbone in backbones for n in classes]


def measure_all(
    networks: Sequence[tuple[str, int]], settings: Mapping, output: Path
) -> list[dict]:
    """Measures every network; writes the JSON and its plot after each."""
    plot.plot_path(output)
    files.check_place(output)
    rows = []
    for backbone, classes in networks:
        rows.append(measure_network(backbone, classes, settings))
        _write(rows, output)
        print(f"{backbone}, {classes} classes: done", file=sys.stderr)
    return rows


def _write(rows: Sequence[Mapping], output: Path) -> None:
    found = [line for row in rows for line in figures.figures_of(row)]
    files.write_json(output, {"rows": rows, "figures": found})
    files.write_file(plot.plot_path(output), png_of(plot.speed_figure(found)))
