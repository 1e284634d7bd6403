"""Connects to a TensorFlow Serving: deadlines, retries, answers that were checked."""

import contextlib
import itertools
import math
import random
import re
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from bas_tf import names
from bas_tf.errors import UserError, check_choice
from bas_tf.export.client import served
from bas_tf.export.client.pace import Pace
from bas_tf.export.client.served import Served, ServedModel, ServingError

PROTOCOLS = ("grpc", "rest")
# A server that restarts and warms up was away for 15 to 17 s on a busy machine; a call
# that is made meanwhile should outlast that, and a queue behind it.
TIMEOUT_S = 60.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0  # seconds


def connect(
    address: str,
    *,
    protocol: str = "grpc",
    model: ServedModel = ServedModel(),  # noqa: B008  frozen
    timeout_s: float = TIMEOUT_S,
    retries: bool = True,
) -> "ServingClient":
    """A client of a server; connects with its first call.

    Args:
      address: HOST:PORT, of the port for the protocol.
      protocol: "grpc" (needs tensorflow-serving-api) or "rest".
      model: which of the server's is asked.
      timeout_s: for each call, its retries included.
      retries: False raises every failure, as a load test wants.

    Raises:
      UserError: the address is none, the protocol is not known or its package missing.
    """
    check_choice("protocol", protocol, PROTOCOLS)
    match = re.fullmatch(r"([^\s:/]+|\[[0-9a-fA-F:.]+\]):(\d{1,5})", address)
    if not match or not 0 < int(match[2]) < 65536:
        raise UserError(f"--address={address}: not HOST:PORT, such as localhost:8500")
    if protocol == "rest":
        from bas_tf.export.client.requests_rest import RestTransport as Transport
    else:
        from bas_tf.export.client.requests_grpc import GrpcTransport as Transport
    return ServingClient(Transport(address, model), timeout_s, retries)


class ServingClient(contextlib.AbstractContextManager):
    """Asks one served model; threads may share it, and a `with` block closes it.

    A call ends within `timeout_s`, retries and their pauses included. Asked again is a
    server that says "later" (RESOURCE_EXHAUSTED, UNAVAILABLE, 429, 503), refuses the
    connection or drops it: an answer is a function of its request, so a request that
    is made twice does no harm. The pauses double from 0.1 to 2 seconds, each cut by
    chance to between half and all of it, so that many clients do not return together;
    and fewer calls are made at a time, see `Pace`.
    """

    def __init__(self, transport, timeout_s: float, retries: bool):
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

    def __exit__(self, *_):
        self.close()

    def _localize(
        self, images: Sequence[bytes], class_ids: Sequence[int] | None
    ) -> list[Served]:
        rows = [Served(fault="an empty image, which is not sent")] * len(images)
        sent = [i for i, image in enumerate(images) if image]
        if not sent:
            return rows
        signature, ids = names.SIGNATURE, None
        inputs = {names.IMAGE_BYTES: [images[i] for i in sent]}
        if class_ids is not None:
            signature, ids = names.CLASS_SIGNATURE, [class_ids[i] for i in sent]
            inputs[names.CLASS_IDS] = ids
        outputs = self._retried(signature, inputs)
        answers = served.read_answers(outputs, count=len(sent), class_ids=ids)
        for i, answer in zip(sent, answers, strict=True):
            rows[i] = answer
        return rows

    def _retried(self, signature: str, inputs: dict[str, list]) -> Mapping[str, Any]:
        began, seconds = time.monotonic(), self._pace.patience(self._timeout_s)
        end = began + seconds
        for tries in itertools.count(1):
            try:
                with (
                    self._pace.turn(end) if self._retries else contextlib.nullcontext()
                ):
                    if self._closed.is_set():
                        raise ServingError("the client is closed")
                    return self._transport.predict(signature, inputs, end)
            except TimeoutError:
                message, kind = f"no whole answer within {seconds:g} s", "deadline"
                pause = math.inf
            except ServingError as error:
                if not (self._retries and error.later) or self._closed.is_set():
                    raise
                message, kind = (
                    f"{error} (tried {tries} times in {seconds:g} s)",
                    error.kind,
                )
                pause = min(FIRST_PAUSE * 2 ** min(tries - 1, 9), LONGEST_PAUSE)
                pause *= random.uniform(0.5, 1)
            if time.monotonic() + pause >= end:
                if self._retries:
                    self._pace.gave_up(began)
                raise ServingError(message, kind=kind)
            self._closed.wait(pause)
