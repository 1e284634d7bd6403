r"""Load test of a TensorFlow Serving that serves the model: throughput and latencies.

  python -m benchmarks.serving.load_test --address=localhost:8500 --output=load.json \
      [--concurrency=1,2,4,8 | --rate=10,20,40 | --soak --concurrency=4] PHOTOS...

PHOTOS are files and folders; up to 256 of them are read once and sent in turns.

Closed loop (--concurrency): so many callers, each sends its next request when the last
was answered (0.1 s later when it failed). It tells what the server can do; one that
stalls is asked less in the meantime, so its latencies are those of patient callers.
Open loop (--rate): requests at random moments, the same in every run, whatever the
server does; a latency counts from when its request was due. It tells what users meet.
At most 256 requests are under way; those beyond are failures of kind not_sent.
--soak: the closed loop in ten parts; exit code 1 when a request failed, when the last
part's p99 is more than twice the first's, or when either has too few answers for one.

Nothing is tried again. Before each level, and once before a soak, comes a warm-up that
does not count, a tenth of --seconds and 3 s at most. Latencies are those of good
answers, failures stand beside them. Percentiles are by nearest rank.
Ctrl-C ends it with what was measured (exit code 130).

OUTPUT.json keeps the rows of other --labels and adds this one's, so that a server's
settings stand beside each other in the table; what it has of the same label and loop is
replaced. rows:
  label, loop (closed, open, soak), concurrency or rate, part (of a soak, from 1)
  address, protocol, model, images_per_request, timeout_s, num_photos
  seconds, requests, images_per_second, p50_ms, p95_ms, p99_ms, max_ms
  errors {kind: requests}, messages {kind: the first one's}
  client_cores    processor time of the load test itself; near 1, it is the limit
"""

import contextlib
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from absl import flags

from bas_tf import entry_point
from bas_tf.errors import UserError
from benchmarks.serving import load, load_report
from benchmarks.serving.load import Asker, Level, Stop
from export.serving import client, photos
from export.serving.photos import Encoded
from export.serving.serving_client import ServedModel

MOST_PHOTOS = 256
SOAK_PARTS = 10
LONGEST_WARM_UP = 3.0  # seconds
DAY_S = 86_400
MOST_RATE = 10_000  # more than Python can send
PATIENCE_S = 10.0  # at least, for the first request: a graph may have to be made


def levels_of(
    concurrency: Sequence[str], rate: Sequence[str] | None, *, soak: bool
) -> list[Level]:
    """The levels that the flags ask for.

    Raises:
      UserError: a number is none, or the flags do not go together.
    """
    if soak and (rate is not None or len(concurrency) != 1):
        raise UserError("--soak takes one --concurrency and no --rate")
    if rate is not None:
        return [
            Level(rate=_number("rate", text, most=MOST_RATE)) for text in rate or [""]
        ]
    return [
        Level(concurrency=_number("concurrency", text, int, most=load.MOST_CALLERS))
        for text in concurrency or [""]
    ]


def _number(flag: str, text: str, kind: type = float, *, most: float):
    try:
        number = kind(text)
    except ValueError:
        number = 0
    if not 0 < number <= most:
        what = "whole number" if kind is int else "number"
        raise UserError(f"--{flag}: {text!r} is no {what} above 0 and up to {most:g}")
    return number


def read_photos(arguments: Sequence[str], *, output: Path) -> list[Encoded]:
    """Up to 256 of the photos, spread evenly over them.

    Raises:
      UserError: there are none, or one cannot be read.
    """
    if not arguments:
        raise UserError("no photo or folder given; see --help")
    found = photos.find_photos(arguments, output=output)
    count = min(len(found), MOST_PHOTOS)
    chosen = [found[i * len(found) // count] for i in range(count)]
    return [photos.encoded(photo.path) for photo in chosen]


def check_server(
    address: str,
    photo: Encoded,
    *,
    images_per_request: int,
    timeout_s: float,
    **settings,
) -> None:
    """Raises UserError when a first request, as the load's are, has no answer."""
    patience = max(timeout_s, PATIENCE_S)
    with client.connect(
        address, timeout_s=patience, retries=False, **settings
    ) as serving:
        failure = Asker(serving, [photo], images_per_request=images_per_request)()
    if failure:
        raise UserError(f"--address={address}: the first request: {failure.message}")


def measured_rows(
    ask: Asker,
    levels: Sequence[Level],
    *,
    soak: bool,
    seconds: float,
    images_per_request: int,
    stop: Stop,
) -> Iterator[dict]:
    """A row of each level, or of each part of a soak, as soon as it is measured."""
    warm_up = min(LONGEST_WARM_UP, seconds / 10)
    parts = range(1, SOAK_PARTS + 1) if soak else (None,)
    for level in levels:
        for part in parts:
            begin = warm_up if part in (None, 1) else 0.0
            counted = seconds / len(parts)
            run = load.run(ask, level, seconds=begin + counted, stop=stop)
            if run.seconds <= begin:  # stopped before
                return
            yield {
                "concurrency": level.concurrency,
                "rate": level.rate,
                "part": part,
                **load_report.figures(
                    run, begin=begin, images_per_request=images_per_request
                ),
            }
            if stop.requested:
                return


def main(args: list[str]) -> None:
    given = flags.FLAGS
    output, soak = Path(given.output), given.soak
    if given["concurrency"].present and given.rate is not None:
        raise UserError("--concurrency and --rate: one of them, not both")
    levels = levels_of(given.concurrency, given.rate, soak=soak)
    for flag in ("seconds", "timeout_s"):
        _number(flag, str(given[flag].value), most=DAY_S)
    kept = load_report.read_rows(output)
    sent = read_photos(args, output=output)
    server = {"protocol": given.protocol, "model": ServedModel(given["model"].value)}
    if given.protocol == "grpc":
        entry_point.load_tensorflow()
    check_server(
        given.address,
        sent[0],
        images_per_request=given.images_per_request,
        timeout_s=given.timeout_s,
        **server,
    )
    load_report.write_rows(output, kept)  # fails now rather than after the work

    loop = "soak" if soak else "closed" if given.rate is None else "open"
    label = given.protocol if given.label is None else given.label
    about = {
        "label": label,
        "loop": loop,
        "address": given.address,
        "protocol": given.protocol,
        "model": given["model"].value,
        "images_per_request": given.images_per_request,
        "timeout_s": given.timeout_s,
        "num_photos": len(sent),
    }
    others, new = load_report.without(kept, label=label, loop=loop), []
    with (
        client.connect(
            given.address, timeout_s=given.timeout_s, retries=False, **server
        ) as serving,
        stopped_by_ctrl_c() as stop,
    ):
        for row in measured_rows(
            Asker(serving, sent, images_per_request=given.images_per_request),
            levels,
            soak=soak,
            seconds=given.seconds,
            images_per_request=given.images_per_request,
            stop=stop,
        ):
            new.append({**about, **row})
            load_report.write_rows(output, others + new)
            tell(new[-1])
    print(load_report.load_table(others + new if new else kept))
    end(new, soak=soak, stop=stop)


@contextlib.contextmanager
def stopped_by_ctrl_c() -> Iterator[Stop]:
    """A `Stop` that Ctrl-C calls within the block."""
    stop = Stop()
    before = signal.signal(signal.SIGINT, stop)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def tell(row: Mapping) -> None:
    """Standard error gets a line for those who wait, and what went wrong."""
    failed = sum(row["errors"].values())
    print(
        f"{load_report.load_name(row)}: {row['images_per_second']:.1f} images/s, "
        f"{row['requests']} requests, {failed} failed",
        file=sys.stderr,
    )
    for kind, message in row["messages"].items():
        count = row["errors"][kind]
        print(f"  {kind} {count}: {message}", file=sys.stderr)


def end(rows: Sequence[Mapping], *, soak: bool, stop: Stop) -> None:
    """Exits with what the work came to."""
    if soak and rows and (wrong := load_report.drift(rows)):
        print(f"soak: {wrong}", file=sys.stderr)
        sys.exit(130 if stop.requested else 1)
    if stop.requested:
        sys.exit(130)


if __name__ == "__main__":
    flags.DEFINE_string("address", None, "The server's HOST:PORT.", required=True)
    flags.DEFINE_enum("protocol", "grpc", client.PROTOCOLS, "What its port speaks.")
    flags.DEFINE_string("model", "bas", "The served model's name.")
    entry_point.define_path("output", None, "The JSON file of the rows.", required=True)
    flags.DEFINE_string(
        "label", None, "Of the rows, as 'batching off'; default the protocol."
    )
    flags.DEFINE_list("concurrency", ["1", "2", "4", "8"], "Callers, closed loop.")
    flags.DEFINE_list("rate", None, "Requests a second: open loop instead.")
    flags.DEFINE_bool("soak", False, "Ten parts of one concurrency: does it drift?")
    flags.DEFINE_integer(
        "images_per_request", 1, "Photos in each request.", lower_bound=1
    )
    flags.DEFINE_float("seconds", 20.0, "Of each level, or of the whole soak.")
    flags.DEFINE_float("timeout_s", 5.0, "Seconds for a request.")
    entry_point.run(main, loads_tensorflow=False)
