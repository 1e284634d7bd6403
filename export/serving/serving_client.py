"""One interface for both protocols: deadlines, retries, answers that were checked."""

import abc
import dataclasses
import itertools
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bas_tf import names
from export.serving import served
from export.serving.served import Served, ServingError

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0  # seconds


class UnavailableError(ServingError):
    """The server takes no request now; the one failure that is tried again."""


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


class Deadline:
    """The end of a call, whatever the call waits for."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def seconds_left(self) -> float:
        """How long may still be waited; more than 0.

        Raises:
          TimeoutError: the end has come.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class ServingClient(abc.ABC):
    """Asks one served model; threads may share it, and a `with` block closes it.

    A call ends within `timeout_s`, retries and their pauses included. Only a server
    that is unavailable is asked again: gRPC's UNAVAILABLE; HTTP's 503 and a refused
    connection. The pauses double from 0.1 to 2 seconds, each cut by chance to between
    half and all of it, so that many clients do not return together.

    Args:
      model: which one is asked.
      timeout_s: for each call.
      retries: False tells of every failure, as a load test wants.
    """

    def __init__(self, model: ServedModel, *, timeout_s: float, retries: bool):
        self.model = model
        self.timeout_s = timeout_s
        self._retries = retries
        self._closed = threading.Event()

    def localize(self, images: Sequence[bytes]) -> list[Served]:
        """Finds the object of each image, and its class.

        Args:
          images: encoded files, as `photos.encoded` makes them.

        Returns:
          An answer for each image, in their order; one that the server could not read
          has a `fault`.

        Raises:
          ServingError: the call failed; no image has an answer.
        """
        if not images:
            return []
        outputs = self._call(names.SIGNATURE, {names.IMAGE_BYTES: list(images)})
        return served.read_localized(outputs, count=len(images))

    def localize_class(
        self, images: Sequence[bytes], class_ids: Sequence[int]
    ) -> list[Served]:
        """As `localize`, of one given class an image, predicted or not."""
        if len(images) != len(class_ids):
            raise ValueError(f"{len(images)} images but {len(class_ids)} class_ids")
        if not images:
            return []
        inputs = {names.IMAGE_BYTES: list(images), names.CLASS_IDS: list(class_ids)}
        outputs = self._call(names.CLASS_SIGNATURE, inputs)
        return served.read_localized_class(outputs, class_ids=list(class_ids))

    def close(self) -> None:
        """Closes the connections; calls that other threads wait for fail at once."""
        self._closed.set()
        self._close_connections()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _call(self, signature: str, inputs: dict[str, list]) -> Mapping[str, Any]:
        deadline = Deadline(self.timeout_s)
        try:
            return self._retried(
                lambda: self._predict(signature, inputs, deadline), deadline
            )
        except TimeoutError as error:
            message = f"no whole answer within {self.timeout_s:g} s"
            raise ServingError(message) from error

    def _retried(self, attempt: Callable[[], Any], deadline: Deadline) -> Any:
        longest = FIRST_PAUSE
        for tries in itertools.count(1):
            if self._closed.is_set():
                raise ServingError("the client is closed")
            try:
                return attempt()
            except UnavailableError as error:
                if not self._retries:
                    raise
                pause = longest * random.uniform(0.5, 1)
                if not _fits(pause, deadline):
                    told = f"{error} (tried {tries} times in {self.timeout_s:g} s)"
                    raise ServingError(told) from error
            self._closed.wait(pause)
            longest = min(2 * longest, LONGEST_PAUSE)

    @abc.abstractmethod
    def _predict(
        self, signature: str, inputs: dict[str, list], deadline: Deadline
    ) -> Mapping[str, Any]:
        """One attempt.

        Args:
          signature: the model's.
          inputs: {name: bytes or ints, one an image}.
          deadline: of the call.

        Returns:
          {output: array or nested lists}, strings as `str`; unchecked.

        Raises:
          UnavailableError: worth another attempt.
          ServingError: not worth it.
          TimeoutError: the deadline came.
        """

    @abc.abstractmethod
    def _close_connections(self) -> None:
        """Closes them, in use or not."""


def _fits(pause: float, deadline: Deadline) -> bool:
    try:
        return pause < deadline.seconds_left()
    except TimeoutError:
        return False
