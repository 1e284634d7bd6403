"""Asks TensorFlow Serving over REST; urllib3's pool keeps the connections."""

import base64
import contextlib
import json
import math
import socket
import time
import weakref
from typing import Any
from urllib.parse import quote

import urllib3
from urllib3.connection import HTTPConnection

from bas_tf import names
from bas_tf.errors import one_line
from bas_tf.export.client.served import ServedModel, ServingError

MAX_ANSWER_BYTES = 64 * 2**20
MOST_KEPT = 256  # idle connections
_QUOTED_BYTES = 300  # of an answer that is not the server's JSON


class _Socket(socket.socket):
    """Waits until `end` at most: urllib3's timeouts start anew with every byte."""

    end = math.inf

    def sendall(self, *args):
        self._set_timeout()
        return super().sendall(*args)

    def recv_into(self, *args):
        self._set_timeout()
        return super().recv_into(*args)

    def _set_timeout(self) -> None:
        self.settimeout(max(self.end - time.monotonic(), 1e-6))


class _Connection(HTTPConnection):
    """Its timeout is for the whole of a request and its answer."""

    def __init__(self, *args, sockets: weakref.WeakSet, **settings):
        super().__init__(*args, **settings)
        self._sockets = sockets  # of all connections

    def _new_conn(self) -> _Socket:
        sock = _Socket(fileno=super()._new_conn().detach())
        self._sockets.add(sock)
        return sock

    def request(self, *args, **settings) -> None:
        end = time.monotonic() + self.timeout
        if self.sock is None:
            self.connect()
        self.sock.end = end
        super().request(*args, **settings)


class RestTransport:
    """A connection to HOST:PORT for each call at a time; threads share it."""

    def __init__(self, address: str, model: ServedModel):
        self._sockets = weakref.WeakSet()
        host, _, port = address.rpartition(":")
        self._pool = urllib3.HTTPConnectionPool(
            host, int(port), maxsize=MOST_KEPT, sockets=self._sockets
        )
        self._pool.ConnectionCls = _Connection
        self._path = f"/v1/models/{quote(model.name, safe='')}"
        if model.version is not None:
            self._path += f"/versions/{model.version}"
        if model.label is not None:
            self._path += f"/labels/{quote(model.label, safe='')}"
        self._path += ":predict"

    def predict(
        self, signature: str, inputs: dict[str, list], end: float
    ) -> dict[str, Any]:
        """One attempt, as {output: array or nested lists}, strings as `str`.

        Raises:
          ServingError: no such answer came.
          TimeoutError: the `end`, by time.monotonic, did.
        """
        files = inputs[names.IMAGE_BYTES]
        images = [{"b64": base64.b64encode(file).decode()} for file in files]
        inputs = {**inputs, names.IMAGE_BYTES: images}
        body = json.dumps({"signature_name": signature, "inputs": inputs}).encode()
        status, content = self._post(body, end)
        try:
            answer = json.loads(content)  # NaN and Infinity, which come bare, are read
        except (ValueError, RecursionError):
            answer = None
        found = answer if isinstance(answer, dict) else {}
        if status != 200:
            message = one_line(Exception(found.get("error", content[:_QUOTED_BYTES])))
            raise ServingError(
                f"HTTP {status}: {message}",
                kind="unavailable" if status == 503 else f"http_{status}",
                later=status in (429, 503),
            )
        if not isinstance(found.get("outputs"), dict):
            message = f"the answer is no JSON with outputs: {content[:_QUOTED_BYTES]!r}"
            raise ServingError(message)
        return found["outputs"]

    def close(self) -> None:
        """Ends the connections, in use or not."""
        self._pool.close()
        for sock in list(self._sockets):
            with contextlib.suppress(OSError):  # it may have ended already
                sock.shutdown(socket.SHUT_RDWR)

    def _post(self, body: bytes, end: float) -> tuple[int, bytes]:
        """Status and body of the answer."""
        seconds = max(end - time.monotonic(), 1e-3)
        try:
            with self._pool.urlopen(
                "POST",
                self._path,
                body,
                {"Content-Type": "application/json"},
                retries=False,  # retrying is `ServingClient`'s, within its deadline
                timeout=seconds,
                preload_content=False,
            ) as response:
                content = response.read(MAX_ANSWER_BYTES + 1)
            if response.status == 200 and not content:
                raise urllib3.exceptions.HTTPError("it ended within the answer's head")
        except (OSError, urllib3.exceptions.HTTPError) as error:
            if time.monotonic() >= end:
                raise TimeoutError from error
            refused = isinstance(error.__cause__, ConnectionRefusedError)
            kind = "unavailable" if refused else "connection"
            message = f"the connection failed: {one_line(error)}"
            raise ServingError(message, kind=kind, later=True) from error
        if len(content) > MAX_ANSWER_BYTES:
            raise ServingError(f"more than {MAX_ANSWER_BYTES} bytes came")
        return response.status, content
