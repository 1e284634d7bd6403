"""What a load gave: its figures, their table, and the file that keeps them."""

import collections
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from bas_tf import files
from bas_tf.errors import UserError
from benchmarks.serving.load import Failure, Run, Sample

PERCENTILES = (50, 95, 99)
MOST_DRIFT = 2.0
BUSY_CORES = 0.8  # of the one core that Python's threads share
_COLUMNS = (
    "label", "load", "images", "requests", "images/s", "p50 ms", "p95 ms", "p99 ms",
    "max ms", "failed", "client cores",
)  # fmt: skip
_KEYS = {
    "label", "loop", "concurrency", "rate", "part", "images_per_request", "requests",
    "images_per_second", "p50_ms", "p95_ms", "p99_ms", "max_ms", "errors",
    "client_cores",
}  # fmt: skip


def percentile(ascending: Sequence[float], percent: int) -> float | None:
    """The nearest rank: the smallest value that `percent` of them do not exceed.

    Args:
      ascending: the values, sorted.
      percent: from 1 to 99.

    Returns:
      None with too few values for one to lie beyond: p99 takes 100, p95 20, p50 2.
    """
    count = len(ascending)
    if count * (100 - percent) < 100:
        return None
    return ascending[-(-percent * count // 100) - 1]


def figures(run: Run, *, begin: float, images_per_request: int) -> dict:
    """A row's figures: of the requests sent from `begin` to the end of sending.

    Args:
      run: what was met.
      begin: seconds; what was sent before is warm-up.
      images_per_request: of each.

    Returns:
      seconds, requests; images_per_second, of the good answers that came in that time;
      p50_ms, p95_ms, p99_ms, max_ms of the good answers, None where they are too few;
      errors {kind: requests}, messages {kind: the first one's}; client_cores.
    """
    seconds = run.seconds - begin
    sent = [s for s in run.samples if begin <= s.sent < run.seconds]
    ended = [s for s in run.samples if begin <= s.ended < run.seconds]
    answered = sum(s.failure is None for s in ended)
    millis = sorted(1e3 * (s.ended - s.sent) for s in sent if s.failure is None)
    return {
        "seconds": round(seconds, 3),
        "requests": len(sent),
        "images_per_second": round(answered * images_per_request / seconds, 3),
        **{f"p{p}_ms": _rounded(percentile(millis, p)) for p in PERCENTILES},
        "max_ms": _rounded(millis[-1] if millis else None),
        **_failures(sent),
        "client_cores": round(run.client_cores, 3),
    }


def _failures(sent: Sequence[Sample]) -> dict:
    met: dict[str, list[Failure]] = collections.defaultdict(list)
    for sample in sorted(sent, key=lambda sample: sample.sent):
        if sample.failure:
            met[sample.failure.kind].append(sample.failure)
    return {
        "errors": {kind: len(met[kind]) for kind in sorted(met)},
        "messages": {kind: met[kind][0].message for kind in sorted(met)},
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def drift(rows: Sequence[Mapping]) -> str:
    """What is wrong with a soak's parts, in their order; "" when nothing is."""
    failed = sum(sum(row["errors"].values()) for row in rows)
    if failed:
        return f"{failed} requests failed"
    first, last = rows[0]["p99_ms"], rows[-1]["p99_ms"]
    if first is None or last is None:
        return "fewer than 100 answers a part are too few for a p99; soak longer"
    if last > MOST_DRIFT * first:
        return f"the last part's p99 is {last:.1f} ms, the first's was {first:.1f} ms"
    return ""


def read_rows(path: Path) -> list[dict]:
    """The rows of an earlier file; none when there is no file.

    Raises:
      UserError: the file is something else.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        if not all(row.keys() >= _KEYS for row in rows):
            raise ValueError
    except FileNotFoundError:
        return []
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(
            f"--output={path}: there is something that is no load test's file; name "
            "another one"
        ) from error
    return rows


def write_rows(path: Path, rows: Sequence[Mapping]) -> None:
    """Writes {"rows": [...]}.

    Raises:
      UserError: the path cannot be written.
    """
    files.write_json(path, {"rows": rows})


def without(rows: Sequence[dict], *, label: str, loop: str) -> list[dict]:
    """The rows that a new measurement of this label and loop does not replace."""
    return [row for row in rows if (row["label"], row["loop"]) != (label, loop)]


def load_table(rows: Sequence[Mapping]) -> str:
    """A Markdown row each, "-" for a percentile of too few answers; then remarks.

    Returns:
      No final newline.
    """
    cells = [_COLUMNS, ("---", "---", *("---:",) * 7, "---", "---:")]
    cells += map(_cells, rows)
    lines = [f"| {' | '.join(line)} |" for line in cells]
    return "\n".join(lines + _remarks(rows))


def _cells(row: Mapping) -> tuple[str, ...]:
    keys = ("images_per_second", *(f"p{p}_ms" for p in PERCENTILES), "max_ms")
    return (
        row["label"].replace("|", r"\|"),
        load_name(row),
        str(row["images_per_request"]),
        str(row["requests"]),
        *("-" if row[key] is None else f"{row[key]:.1f}" for key in keys),
        ", ".join(f"{kind} {n}" for kind, n in row["errors"].items()) or "0",
        f"{row['client_cores']:.2f}",
    )


def load_name(row: Mapping) -> str:
    """Such as "4 callers", "20 requests/s" or "4 callers, part 3"."""
    if row["rate"] is not None:
        return f"{row['rate']:g} requests/s"
    callers = f"{row['concurrency']} caller{'s' * (row['concurrency'] > 1)}"
    return callers if row["part"] is None else f"{callers}, part {row['part']}"


def _remarks(rows: Sequence[Mapping]) -> list[str]:
    told = []
    if any(row["p99_ms"] is None for row in rows):
        told.append("-: too few answers; p99 takes 100, p95 20")
    if any(row["client_cores"] > BUSY_CORES for row in rows):
        told.append(
            "client cores near 1: the load test itself is the limit, the server may do "
            "more; run several at a time"
        )
    return ["", *told] if told else []
