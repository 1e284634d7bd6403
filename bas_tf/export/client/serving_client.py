"""One interface for both protocols: deadlines, retries, answers that were checked."""

import dataclasses
import itertools
import random
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from bas_tf import names
from bas_tf.export.client import served
from bas_tf.export.client.pace import Deadline, Pace
from bas_tf.export.client.served import Served, ServingError

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0  # seconds


@dataclasses.dataclass(frozen=True)
class ServedModel:
    """Which model of the server is asked; its latest version without a pin.

    Attributes:
      name: the model's.
      version: a number, or None.
      label: a version label of the server's configuration, or None.
    """

    name: str = "bas"
    version: int | None = None
    label: str | None = None


class Transport(Protocol):
    """A protocol's connections to a server; threads share it."""

    def predict(
        self, signature: str, inputs: dict[str, list], deadline: Deadline
    ) -> Mapping[str, Any]:
        """One attempt, as {output: array or nested lists}, strings as `str`.

        Raises:
          ServingError: no such answer came.
          TimeoutError: the deadline did.
        """

    def close(self) -> None:
        """Ends the connections, in use or not."""


class ServingClient:
    """Asks one served model; threads may share it, and a `with` block closes it.

    A call ends within `timeout_s`, retries and their pauses included. Asked again is a
    server that says "later" (RESOURCE_EXHAUSTED, UNAVAILABLE, 429, 503), refuses the
    connection or drops it: an answer is a function of its request, so a request that
    is made twice does no harm. The pauses double from 0.1 to 2 seconds, each cut by
    chance to between half and all of it, so that many clients do not return together;
    and fewer calls are made at a time, see `Pace`.

    Args:
      transport: to the server.
      timeout_s: for each call.
      retries: False tells of every failure, as a load test wants.
    """

    def __init__(self, transport: Transport, *, timeout_s: float, retries: bool):
        self._transport, self._timeout_s, self._retries = transport, timeout_s, retries
        self._pace, self._closed = Pace(), threading.Event()

    def localize(self, images: Sequence[bytes]) -> list[Served]:
        """Finds the object of each image, and its class.

        Args:
          images: encoded files, as `photos.encoded` makes them.

        Returns:
          An answer for each image, in their order; one that the server could not read
          has a `fault`, and so has an empty one, which is never sent: with batching,
          requests of nothing stop a server.

        Raises:
          ServingError: the call failed; no image has an answer.
        """
        return self._localize(images, None)

    def localize_class(
        self, images: Sequence[bytes], class_ids: Sequence[int]
    ) -> list[Served]:
        """As `localize`, of one given class an image, predicted or not."""
        if len(images) != len(class_ids):
            raise ValueError(f"{len(images)} images but {len(class_ids)} class_ids")
        return self._localize(images, class_ids)

    def close(self) -> None:
        """Closes the connections; calls that other threads wait for fail at once."""
        self._closed.set()
        self._transport.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _localize(
        self, images: Sequence[bytes], class_ids: Sequence[int] | None
    ) -> list[Served]:
        rows = [Served(fault="an empty image, which is not sent")] * len(images)
        sent = [i for i, image in enumerate(images) if image]
        if not sent:
            return rows
        inputs = {names.IMAGE_BYTES: [images[i] for i in sent]}
        ids = None if class_ids is None else [class_ids[i] for i in sent]
        if ids is None:
            outputs = self._call(names.SIGNATURE, inputs)
        else:
            inputs[names.CLASS_IDS] = ids
            outputs = self._call(names.CLASS_SIGNATURE, inputs)
        answers = served.read_answers(outputs, count=len(sent), class_ids=ids)
        for i, answer in zip(sent, answers, strict=True):
            rows[i] = answer
        return rows

    def _call(self, signature: str, inputs: dict[str, list]) -> Mapping[str, Any]:
        deadline = self._pace.deadline(self._timeout_s)
        attempt = self._retried if self._retries else self._attempt
        try:
            return attempt(signature, inputs, deadline)
        except TimeoutError as error:
            if self._retries:
                self._pace.gave_up(deadline)
            message = f"no whole answer within {deadline.seconds:g} s"
            raise ServingError(message, kind="deadline") from error

    def _retried(
        self, signature: str, inputs: dict[str, list], deadline: Deadline
    ) -> Mapping[str, Any]:
        for tries in itertools.count(1):
            try:
                with self._pace.turn(deadline):
                    return self._attempt(signature, inputs, deadline)
            except ServingError as error:
                if not error.later or self._closed.is_set():
                    raise
                longest = min(FIRST_PAUSE * 2 ** min(tries - 1, 9), LONGEST_PAUSE)
                pause = longest * random.uniform(0.5, 1)
                if time.monotonic() + pause >= deadline.end:
                    self._pace.gave_up(deadline)
                    told = f"{error} (tried {tries} times in {deadline.seconds:g} s)"
                    raise ServingError(told, kind=error.kind) from error
            self._closed.wait(pause)

    def _attempt(
        self, signature: str, inputs: dict[str, list], deadline: Deadline
    ) -> Mapping[str, Any]:
        if self._closed.is_set():
            raise ServingError("the client is closed")
        return self._transport.predict(signature, inputs, deadline)
