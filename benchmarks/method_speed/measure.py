"""From networks to the rows of the JSON, each measured once."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bas_tf import experiment, files
from bas_tf.errors import UserError, check_choice
from benchmarks.method_speed import cases, figures, flops, ours, plot, turns

SIZE, THREADS = 224, 2
ROW_KEYS = (  # of `measure_network`
    "backbone", "classes", "settings", "idle_before", "multiply_adds", "phases",
)  # fmt: skip


def measure_network(backbone: str, classes: int, settings: Mapping) -> dict:
    """A row of the JSON: every call's seconds, memory and multiply-adds.

    Args:
      backbone, classes: see `cases.load_config`.
      settings: from `make_settings`.

    Raises:
      UserError: a side ends early.
    """
    network = {"backbone": backbone, "classes": classes}
    return {
        **network,
        "settings": settings,
        "idle_before": idle_share(),
        "multiply_adds": count_work(backbone, classes, settings["size"]),
        "phases": {
            phase: turns.take_turns(phase, network, settings) for phase in cases.PHASES
        },
    }


def count_work(backbone: str, classes: int, size: int) -> dict:
    """{phase: {"ours" and "reference": {part: {pass: multiply-adds of an image}}}}."""
    config = cases.load_config(backbone, classes, size)
    localizer = ours.build_localizer(config, classes)
    parts = flops.count_parts(localizer, (size, size))
    sides = {"ours": False, "reference": True}
    return {
        phase: {side: count(parts, as_reference=sides[side]) for side in sides}
        for phase, count in flops.COUNTS.items()
    }


def idle_share(seconds: float = 2.0) -> float:
    """The share of all cores' time that nobody uses while this process sleeps."""

    def ticks() -> list[int]:
        first, *_ = Path("/proc/stat").read_text(encoding="utf-8").splitlines()
        return [int(count) for count in first.split()[1:9]]

    before = ticks()
    time.sleep(seconds)
    passed = [now - then for now, then in zip(ticks(), before, strict=True)]
    return (passed[3] + passed[4]) / max(1, sum(passed))


def make_settings(rounds: int, size: int = SIZE) -> dict:
    """What must be alike for two rows to stand in one table."""
    return {
        "size": size,
        "threads": THREADS,
        "rounds": rounds,
        "sides": turns.sides_here(),
        "versions": experiment.versions(),
        "cpu": _cpu_name(),
    }


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return "unknown"


def parse_networks(
    backbones: Sequence[str], classes: Sequence[str]
) -> list[tuple[str, int]]:
    """Every backbone with every number of classes.

    Raises:
      UserError: there is no such backbone or number.
    """
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
    """Measures what the JSON lacks; writes it and its plot after each network.

    Rows of other networks are kept.

    Returns:
      The rows of `networks`.

    Raises:
      UserError: `output` holds something else, or rows of other settings, or cannot be
        written, or a side ends early.
    """
    plot.path_beside(output)
    rows = {(row["backbone"], row["classes"]): row for row in read_rows(output)}
    for row in rows.values():
        if row["settings"] != settings:
            raise UserError(
                f"--output={output}: holds what was measured with other settings or "
                "versions, or on another machine; name another file"
            )
    for key in networks:
        if key not in rows:
            rows[key] = measure_network(*key, settings)
            _write(list(rows.values()), output)
            print(f"{key[0]}, {key[1]} classes: done", file=sys.stderr)
    return [rows[key] for key in networks]


def _write(rows: Sequence[Mapping], output: Path) -> None:
    found = [line for row in rows for line in figures.figures_of(row)]
    files.write_json(output, {"rows": rows, "figures": found})
    files.write_file(plot.path_beside(output), plot.speed_png(found))


def read_rows(path: Path) -> list[dict]:
    """The rows of a JSON that this command wrote; none where there is no file.

    Raises:
      UserError: the file is something else.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        return [{key: row[key] for key in ROW_KEYS} for row in rows]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"--output={path}: not a JSON of this command ({error}); name another file"
        ) from error
