"""Load on a served model: callers in a closed or an open loop, and their answers."""

import itertools
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import NamedTuple

import numpy as np

from bas_tf.errors import one_line
from bas_tf.export.client.connection import ServingClient
from bas_tf.export.client.photos import Encoded
from bas_tf.export.client.served import ServingError

MOST_CALLERS = 256  # threads; in the open loop, requests under way
PAUSE_AFTER_FAILURE = 0.1  # seconds; else a server that refuses meets a flood
PERCENTILES = (50, 95, 99)
_POLL_SECONDS = 0.05


class Sample(NamedTuple):
    """A request; seconds since its load began.

    Attributes:
      sent: in the open loop when it was due, however late it left.
      ended: when its answer was read and checked.
      failure: kind and message; None for a good answer. Kinds are those of
        `ServingError`, "row" (an image without an answer) and "not_sent" (too many
        under way).
    """

    sent: float
    ended: float
    failure: tuple[str, str] | None


class Stop:
    """Ends a load early. Polled, since what handles a signal may take no lock."""

    def __init__(self):
        self.at = math.inf  # of time.perf_counter

    def __call__(self, *_) -> None:
        self.at = min(self.at, time.perf_counter())

    @property
    def requested(self) -> bool:
        return self.at < math.inf


def asker(
    serving: ServingClient, photos: Sequence[Encoded], *, images_per_request: int
) -> Callable[[], tuple[str, str] | None]:
    """Sends the next photos and returns a `Sample.failure`; for any number of threads.

    `serving` is without retries; after the last photo comes the first.
    """
    next_photos = itertools.count(0, images_per_request)

    def ask() -> tuple[str, str] | None:
        first = next(next_photos)
        asked = [photos[(first + i) % len(photos)] for i in range(images_per_request)]
        try:
            answers = serving.localize([photo.content for photo in asked])
        except ServingError as error:
            return error.kind, one_line(error)
        for photo, answer in zip(asked, answers, strict=True):
            if answer.fault:
                return "row", answer.fault
            if answer.size_wh != photo.size_wh:
                return "row", f"decoded {answer.size_wh} of {photo.size_wh} pixels"
        return None

    return ask


def run(
    ask: Callable,
    concurrency: int | None,
    rate: float | None = None,
    *,
    seconds: float,
    stop: Stop,
    most_callers: int = MOST_CALLERS,
) -> tuple[list[Sample], float]:
    """Sends requests for some seconds and waits for the last answers.

    Args:
      concurrency: closed loop: each of so many callers sends its next request when the
        last was answered.
      rate: open loop, in its place: requests a second, whatever the server does.
      seconds: how long, unless `stop` ends it before.
      most_callers: of the open loop; a request beyond is a sample "not_sent".

    Returns:
      A sample for each request, and for how many seconds requests were sent.
    """
    start = time.perf_counter()

    def clock() -> float:
        return time.perf_counter() - start

    if rate is None:
        with futures.ThreadPoolExecutor(concurrency) as pool:
            callers = [
                pool.submit(lambda: list(_calls(ask, seconds, clock, stop)))
                for _ in range(concurrency)
            ]
        samples = [sample for caller in callers for sample in caller.result()]
    else:
        due = arrivals(rate, seconds)
        samples = _open_loop(ask, due, most_callers, clock, stop)
        _sleep_until(seconds, clock, stop)
    return samples, min(seconds, stop.at - start)


def arrivals(rate: float, seconds: float) -> list[float]:
    """When requests are due: a Poisson process of round(rate * seconds), at least one.

    Ascending; the same at each call.
    """
    count = max(1, round(rate * seconds))
    # Given their number, the moments of a Poisson process are uniform.
    return sorted(np.random.default_rng(0).uniform(0, seconds, count).tolist())


def _calls(
    ask: Callable, seconds: float, clock: Callable, stop: Stop
) -> Iterator[Sample]:
    while (sent := clock()) < seconds and not stop.requested:
        failure = ask()
        yield Sample(sent, clock(), failure)
        if failure:
            time.sleep(PAUSE_AFTER_FAILURE)


def _open_loop(
    ask: Callable, due: Sequence[float], callers: int, clock: Callable, stop: Stop
) -> list[Sample]:
    free = threading.Semaphore(callers)

    def call(sent: float) -> Sample:
        try:
            failure = ask()
            # From when it was due: what had to wait before it left waited all the same.
            return Sample(sent, clock(), failure)
        finally:
            free.release()

    full = ("not_sent", f"{callers} requests were under way")
    under_way, not_sent = [], []
    with futures.ThreadPoolExecutor(callers) as pool:
        for sent in due:
            _sleep_until(sent, clock, stop)
            if stop.requested:
                break
            if free.acquire(blocking=False):
                under_way.append(pool.submit(call, sent))
            else:
                not_sent.append(Sample(sent, clock(), full))
    return [future.result() for future in under_way] + not_sent


def _sleep_until(moment: float, clock: Callable[[], float], stop: Stop) -> None:
    while (left := moment - clock()) > 0 and not stop.requested:
        time.sleep(min(left, _POLL_SECONDS))


def percentile(ascending: Sequence[float], percent: int) -> float | None:
    """The nearest rank: the smallest value that `percent` of them do not exceed.

    None with too few values for one to lie beyond: p99 takes 100, p95 20, p50 2.
    """
    count = len(ascending)
    if count * (100 - percent) < 100:
        return None
    return ascending[-(-percent * count // 100) - 1]


def figures(
    samples: Sequence[Sample], *, begin: float, end: float, images_per_request: int
) -> dict:
    """A row's figures: of the requests sent from `begin` to `end`, in seconds.

    Returns:
      seconds, requests; images_per_second, of the good answers that came in that time;
      p50_ms, p95_ms, p99_ms, max_ms of the good answers, None where they are too few;
      errors {kind: requests}, messages {kind: the first one's}.
    """
    sent = sorted(s for s in samples if begin <= s.sent < end)
    answered = sum(s.failure is None for s in samples if begin <= s.ended < end)
    millis = sorted(1e3 * (s.ended - s.sent) for s in sent if s.failure is None)
    values = {f"p{p}_ms": percentile(millis, p) for p in PERCENTILES}
    values["max_ms"] = millis[-1] if millis else None
    failures = [s.failure for s in sent if s.failure]
    kinds = [kind for kind, _ in failures]
    return {
        "seconds": round(end - begin, 3),
        "requests": len(sent),
        "images_per_second": round(answered * images_per_request / (end - begin), 3),
        **{key: v if v is None else round(v, 3) for key, v in values.items()},
        "errors": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        "messages": dict(reversed(failures)),
    }
