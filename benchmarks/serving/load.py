"""Load on a served model: callers in a closed or an open loop, and what each met."""

import dataclasses
import http.client
import itertools
import math
import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import NamedTuple

import numpy as np

from bas_tf.errors import one_line
from export.serving.photos import Encoded
from export.serving.served import ServingError
from export.serving.serving_client import ServingClient, UnavailableError

MOST_CALLERS = 256  # threads; in the open loop, requests under way
PAUSE_AFTER_FAILURE = 0.1  # seconds; else a server that refuses meets a flood
_SEED = 0
_POLL_SECONDS = 0.05


class Failure(NamedTuple):
    """Why a request has no good answer.

    Attributes:
      kind: "deadline", "unavailable" (full queue, no model yet, refused connection),
        "row" (an image without an answer), "answer" (not as promised), "connection" (it
        broke), "not_sent" (too many under way), "http_<status>", or a gRPC status.
      message: one line.
    """

    kind: str
    message: str


class Sample(NamedTuple):
    """A request; seconds since its load began.

    Attributes:
      sent: in the open loop when it was due, however late it left.
      ended: when its answer was read and checked.
      failure: None for a good answer.
    """

    sent: float
    ended: float
    failure: Failure | None


@dataclasses.dataclass(frozen=True)
class Level:
    """How much load; one of the two is given.

    Attributes:
      concurrency: closed loop: each of so many callers sends its next request when the
        last was answered.
      rate: open loop: requests a second, whatever the server does.
    """

    concurrency: int | None = None
    rate: float | None = None


@dataclasses.dataclass(frozen=True)
class Run:
    """What a level gave.

    Attributes:
      samples: a request each.
      seconds: how long requests were sent.
      client_cores: processor seconds of this process in each second.
    """

    samples: list[Sample]
    seconds: float
    client_cores: float


class Stop:
    """Ends a load early. Polled, since what handles a signal may take no lock."""

    def __init__(self):
        self.at = math.inf  # of time.perf_counter

    def __call__(self, *_) -> None:
        self.at = min(self.at, time.perf_counter())

    @property
    def requested(self) -> bool:
        return self.at < math.inf


class Asker:
    """Sends requests of the photos in turns; for any number of threads.

    Args:
      serving: of `client.connect`, without retries.
      photos: what is sent, at least one.
      images_per_request: at least 1.
    """

    def __init__(
        self,
        serving: ServingClient,
        photos: Sequence[Encoded],
        *,
        images_per_request: int,
    ):
        self._serving, self._photos = serving, photos
        self._count = images_per_request
        self._first = itertools.count(0, images_per_request)

    def __call__(self) -> Failure | None:
        """Asks once; None when every image has an answer."""
        first = next(self._first)
        asked = [
            self._photos[i % len(self._photos)]
            for i in range(first, first + self._count)
        ]
        try:
            answers = self._serving.localize([photo.content for photo in asked])
        except ServingError as error:
            return Failure(_kind(error), one_line(error))
        for photo, answer in zip(asked, answers, strict=True):
            if answer.fault:
                return Failure("row", answer.fault)
            if answer.size_wh != photo.size_wh:
                told = f"the server decoded {answer.size_wh} of a photo of "
                return Failure("row", f"{told}{photo.size_wh} pixels")
        return None


def run(
    ask: Callable[[], Failure | None],
    level: Level,
    *,
    seconds: float,
    stop: Stop,
    most_callers: int = MOST_CALLERS,
) -> Run:
    """Sends requests for some seconds and waits for the last answers.

    Args:
      ask: sends a request and waits for its answer; for any number of threads.
      level: how many.
      seconds: how long, unless `stop` ends it before.
      stop: may be called at any time.
      most_callers: of the open loop; a request beyond is a sample "not_sent".
    """
    start, busy = time.perf_counter(), time.process_time()

    def clock() -> float:
        return time.perf_counter() - start

    if level.rate is None:
        samples = _closed_loop(ask, level.concurrency, seconds, clock, stop)
    else:
        due = arrivals(level.rate, seconds)
        samples = _open_loop(ask, due, most_callers, clock, stop)
        _sleep_until(seconds, clock, stop)
    return Run(
        samples,
        seconds=min(seconds, stop.at - start),
        client_cores=(time.process_time() - busy) / clock(),
    )


def arrivals(rate: float, seconds: float) -> list[float]:
    """When requests are due: a Poisson process that has the rate's number of them.

    Args:
      rate: requests a second, more than 0.
      seconds: the end.

    Returns:
      round(rate * seconds) moments, at least one, ascending; the same at each call.
    """
    count = max(1, round(rate * seconds))
    # Given their number, the moments of a Poisson process are uniform.
    return sorted(np.random.default_rng(_SEED).uniform(0, seconds, count).tolist())


def _closed_loop(
    ask: Callable, concurrency: int, seconds: float, clock: Callable, stop: Stop
) -> list[Sample]:
    def call() -> list[Sample]:
        samples = []
        while (sent := clock()) < seconds and not stop.requested:
            failure = ask()
            samples.append(Sample(sent, clock(), failure))
            if failure:
                time.sleep(PAUSE_AFTER_FAILURE)
        return samples

    with futures.ThreadPoolExecutor(concurrency) as pool:
        callers = [pool.submit(call) for _ in range(concurrency)]
    return [sample for caller in callers for sample in caller.result()]


def _open_loop(
    ask: Callable, due: Sequence[float], callers: int, clock: Callable, stop: Stop
) -> list[Sample]:
    free = threading.Semaphore(callers)

    def call(sent: float) -> Sample:
        try:
            failure = ask()
            # From when it was due: what had to wait for its turn waited all the same.
            return Sample(sent, clock(), failure)
        finally:
            free.release()

    full = Failure("not_sent", f"{callers} requests were under way")
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


def _kind(error: ServingError) -> str:
    """See `Failure`."""
    cause = error.__cause__
    if isinstance(error, UnavailableError):
        return "unavailable"
    if isinstance(cause, TimeoutError):
        return "deadline"
    if hasattr(cause, "code") and hasattr(cause, "details"):  # grpc.RpcError
        return cause.code().name.lower()
    if match := re.match(r"HTTP (\d+): ", str(error)):
        return f"http_{match[1]}"
    broke = isinstance(cause, OSError | http.client.HTTPException)
    return "connection" if broke else "answer"
