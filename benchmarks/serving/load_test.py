r"""Load test of a TensorFlow Serving that serves the model: throughput and latencies.

  python -m benchmarks.serving.load_test --address=localhost:8500 --output=load.json \
      [--concurrency=1,2,4,8 | --rate=10,20,40 | --soak --concurrency=4] PHOTOS...

PHOTOS are files and folders; up to 256 of them are read once, and sent over and over.

Closed loop (--concurrency): so many callers, each sends its next request when the last
was answered (0.1 s later when it failed). It shows what the server can do; one that
stalls is asked less in the meantime, so its latencies are those of patient callers.
Open loop (--rate): requests at random moments, the same in every run, whatever the
server does; a latency counts from when its request was due. It shows what users meet.
At most 256 requests are under way; those beyond are failures of kind not_sent.
--soak: the closed loop in ten parts; exit code 1 when a request failed, when the last
part's p99 is more than twice the first's, or when either has too few answers for one.

Nothing is tried again, so every failure is seen; exit code 1 of a soak alone. The first
tenth of each level's --seconds, 3 s at most, is warm-up and does not count. Latencies
are those of good answers. With "client cores" near 1, the load test itself is the
limit: run several at a time. Ctrl-C ends it with what was measured (exit code 130).

OUTPUT.json keeps the rows of other --labels and replaces those of this label and loop.
"""

import json
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from absl import flags

from bas_tf import entry_point, files
from bas_tf.data import photo_files
from bas_tf.errors import UserError
from bas_tf.export.client import connection, photos
from bas_tf.export.client.photos import Encoded
from bas_tf.export.client.served import ServedModel
from benchmarks.serving import load

MOST_PHOTOS, SOAK_PARTS, MOST_DRIFT = 256, 10, 2.0
LONGEST_WARM_UP, DAY_S = 3.0, 86_400  # seconds
MOST_RATE = 10_000  # more than Python can send
FLAGS_OF_A_ROW = ("address", "protocol", "model", "images_per_request", "timeout_s")
COLUMNS = ("images_per_second", "p50_ms", "p95_ms", "p99_ms", "max_ms")
_KEYS = {"label", "loop", "rate", "part", "errors", "client_cores", *COLUMNS}


def levels_of(given) -> list[dict]:
    """{"concurrency", "rate", "part"} of each run that the flags ask for."""
    if given["concurrency"].present and given.rate is not None:
        raise UserError("--concurrency and --rate: one of them, not both")
    if given.soak and (given.rate is not None or len(given.concurrency) != 1):
        raise UserError("--soak takes one --concurrency and no --rate")
    _number("seconds", str(given.seconds), float, DAY_S)
    _number("timeout_s", str(given.timeout_s), float, DAY_S)
    level = {"concurrency": None, "rate": None, "part": None}
    if given.rate is not None:
        rates = [_number("rate", text, float, MOST_RATE) for text in given.rate or [""]]
        return [{**level, "rate": rate} for rate in rates]
    callers = [
        _number("concurrency", text, int, load.MOST_CALLERS)
        for text in given.concurrency or [""]
    ]
    parts = range(1, SOAK_PARTS + 1) if given.soak else [None]
    return [{**level, "concurrency": n, "part": p} for n in callers for p in parts]


def _number(flag: str, text: str, kind: type, most: float):
    try:
        number = kind(text)
    except ValueError:
        number = 0
    if not 0 < number <= most:
        what = "whole number" if kind is int else "number"
        raise UserError(f"--{flag}: {text!r} is no {what} above 0 and up to {most:g}")
    return number


def read_photos(arguments: Sequence[str], *, output: Path) -> list[Encoded]:
    """Up to 256 of the photos, spread evenly over them; UserError without any."""
    if not arguments:
        raise UserError("no photo or folder given; see --help")
    found = photo_files.find_photos(arguments, output=output)
    files.check_not_inputs([output], found)
    count = min(len(found), MOST_PHOTOS)
    chosen = [found[i * len(found) // count] for i in range(count)]
    return [photos.encoded(path) for path in chosen]


def read_rows(path: Path) -> list[dict]:
    """The rows of an earlier file, if there is one; UserError where it is another's."""
    try:
        rows = json.loads(path.read_bytes())["rows"]
        if not all(row.keys() >= _KEYS for row in rows):
            raise ValueError
    except FileNotFoundError:
        return []
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(
            f"--output={path}: no load test's file; name another"
        ) from error
    return rows


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


def line_of(row: Mapping) -> str:
    """A Markdown table's; "-" for a percentile of too few answers."""
    load_name = f"{row['rate'] or row['concurrency']:g} " + (
        "requests/s" if row["rate"] else "callers"
    )
    if row["part"]:
        load_name += f", part {row['part']}"
    cells = ["-" if row[key] is None else f"{row[key]:.1f}" for key in COLUMNS]
    cells.append(f"{row['client_cores']:.2f}")
    cells.append(", ".join(f"{kind} {n}" for kind, n in row["errors"].items()) or "0")
    label = row["label"].replace("|", r"\|")
    cells = [label, load_name, str(row["requests"]), *cells]
    return f"| {' | '.join(cells)} |"


HEAD = """\
| label | load | requests | images/s | p50 ms | p95 ms | p99 ms | max ms \
| client cores | failed |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"""


def measured_rows(
    ask, levels: Sequence[Mapping], *, seconds: float, images_per_request: int, stop
) -> Iterator[dict]:
    """A row of each level, or of each part of a soak, as soon as it is measured."""
    for level in levels:
        warm_up = 0.0 if level["part"] else min(LONGEST_WARM_UP, seconds / 10)
        busy, start = time.process_time(), time.perf_counter()
        samples, end = load.run(
            ask, level["concurrency"], level["rate"], seconds=seconds, stop=stop
        )
        cores = (time.process_time() - busy) / (time.perf_counter() - start)
        if end <= warm_up:
            return
        found = load.figures(
            samples, begin=warm_up, end=end, images_per_request=images_per_request
        )
        yield {**level, **found, "client_cores": round(cores, 3)}
        if stop.requested:
            return


def main(args: list[str]) -> None:
    given = flags.FLAGS
    output, count = Path(given.output), given.images_per_request
    levels, kept = levels_of(given), read_rows(output)
    sent = read_photos(args, output=output)
    if given.protocol == "grpc":
        entry_point.load_tensorflow()
    about = {
        "label": given.label or given.protocol,
        "loop": "soak" if given.soak else "closed" if given.rate is None else "open",
        "num_photos": len(sent),
        **{key: given[key].value for key in FLAGS_OF_A_ROW},
    }
    kept = [
        r for r in kept if (r["label"], r["loop"]) != (about["label"], about["loop"])
    ]
    new, stop = [], load.Stop()
    with connection.connect(
        given.address,
        protocol=given.protocol,
        model=ServedModel(about["model"]),
        timeout_s=given.timeout_s,
        retries=False,
    ) as serving:
        ask = load.asker(serving, sent, images_per_request=count)
        if failure := ask():
            raise UserError(f"--address={given.address}: first request: {failure[1]}")
        files.write_json(output, {"rows": kept})  # fails now, not after the work
        signal.signal(signal.SIGINT, stop)
        seconds = given.seconds / (SOAK_PARTS if given.soak else 1)
        for row in measured_rows(
            ask, levels, seconds=seconds, images_per_request=count, stop=stop
        ):
            new.append({**about, **row})
            files.write_json(output, {"rows": kept + new})
            print(line_of(new[-1]), file=sys.stderr)
            for kind, message in row["messages"].items():
                print(f"  {kind}: {message}", file=sys.stderr)
    print("\n".join([HEAD, *map(line_of, kept + new)]))
    wrong = drift(new) if given.soak and new else ""
    if wrong:
        print(f"soak: {wrong}", file=sys.stderr)
    if stop.requested or wrong:
        sys.exit(130 if stop.requested else 1)


if __name__ == "__main__":
    flags.DEFINE_string("address", None, "The server's HOST:PORT.", required=True)
    flags.DEFINE_enum("protocol", "grpc", connection.PROTOCOLS, "What its port speaks.")
    flags.DEFINE_string("model", "bas", "The served model's name.")
    entry_point.define_path("output", None, "The JSON file of the rows.", required=True)
    flags.DEFINE_string("label", None, "Of the rows; default the protocol.")
    flags.DEFINE_list("concurrency", ["1", "2", "4", "8"], "Callers, closed loop.")
    flags.DEFINE_list("rate", None, "Requests a second: open loop instead.")
    flags.DEFINE_bool("soak", False, "Ten parts of one concurrency: does it drift?")
    flags.DEFINE_integer("images_per_request", 1, "Photos in each.", lower_bound=1)
    flags.DEFINE_float("seconds", 20.0, "Of each level, or of the whole soak.")
    flags.DEFINE_float("timeout_s", 10.0, "Seconds for a request.")
    entry_point.run(main, loads_tensorflow=False)
