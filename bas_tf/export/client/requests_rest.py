"""Asks TensorFlow Serving over REST; connections are kept and used again."""

import base64
import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import urllib3
from urllib3.connection import HTTPConnection

from bas_tf import names
from bas_tf.errors import one_line
from bas_tf.export.client.pace import Deadline
from bas_tf.export.client.served import ServingError
from bas_tf.export.client.serving_client import ServedModel

MAX_ANSWER_BYTES = 64 * 2**20
_QUOTED_CHARACTERS = 300  # of an answer that is not the server's JSON


class RestTransport:
    """See `Transport`; as many connections as there are calls at a time.

    urllib3's pool is not used: its timeouts start anew with every byte, and a peer that
    trickles its answer could hold a call for ever. Here a timer shuts the connection.

    Args:
      address: HOST:PORT of the server's REST port.
      model: which one is asked.
    """

    def __init__(self, address: str, model: ServedModel):
        self._address, self._path = address, _predict_path(model)
        self._idle: list[HTTPConnection] = []
        self._in_use: set[HTTPConnection] = set()
        self._is_closed = False

    def predict(
        self, signature: str, inputs: dict[str, list], deadline: Deadline
    ) -> Mapping[str, Any]:
        status, content = self._post(_request_body(signature, inputs), deadline)
        if status != 200:
            raise ServingError(
                f"HTTP {status}: {_error_message(content)}",
                kind="unavailable" if status == 503 else f"http_{status}",
                later=status in (429, 503),
            )
        try:
            answer = json.loads(content)  # NaN and Infinity, which come bare, are read
        except (ValueError, RecursionError) as error:
            raise ServingError(f"the answer is not JSON: {_quoted(content)}") from error
        outputs = answer.get("outputs") if isinstance(answer, dict) else None
        if not isinstance(outputs, dict):
            raise ServingError(f"the answer has no outputs: {_quoted(content)}")
        return outputs

    def close(self) -> None:
        self._is_closed = True
        for connection in list(self._in_use):
            _interrupt(connection)
        while self._idle:
            self._idle.pop().close()

    def _post(self, body: bytes, deadline: Deadline) -> tuple[int, bytes]:
        """Status and body of the answer."""
        try:
            connection = self._idle.pop()
        except IndexError:
            host, _, port = self._address.rpartition(":")
            connection = HTTPConnection(host.strip("[]"), int(port))
        self._in_use.add(connection)
        try:
            return _exchange(connection, self._path, body, deadline)
        except (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError) as e:
            connection.close()  # the next request opens it again
            deadline.seconds_left()  # raises TimeoutError where that was the reason
            refused = isinstance(e.__cause__, ConnectionRefusedError)
            raise ServingError(
                f"{self._address} refuses the connection"
                if refused
                else f"the connection broke: {one_line(e) or type(e).__name__}",
                kind="unavailable" if refused else "connection",
                later=True,
            ) from e
        finally:
            self._in_use.remove(connection)
            self._idle.append(connection)
            if self._is_closed:
                connection.close()


def _exchange(
    connection: HTTPConnection, path: str, body: bytes, deadline: Deadline
) -> tuple[int, bytes]:
    if connection.sock is not None and not connection.is_connected:
        connection.close()  # the server ended it while it was idle
    connection.timeout = deadline.seconds_left()
    timer = threading.Timer(connection.timeout, _interrupt, [connection])
    timer.daemon = True
    timer.start()
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", path, body, headers, preload_content=False)
        response = connection.getresponse()
        content = response.read(MAX_ANSWER_BYTES + 1)
    finally:
        timer.cancel()
    deadline.seconds_left()  # what the timer cut off can look like a short answer
    if response.status == 200 and not content:
        raise http.client.HTTPException("closed within the answer's head")
    if len(content) > MAX_ANSWER_BYTES:
        connection.close()
        raise ServingError(f"more than {MAX_ANSWER_BYTES} bytes came")
    return response.status, content


def _interrupt(connection: HTTPConnection) -> None:
    """Ends the waiting of another thread that uses this connection."""
    sock = connection.sock
    if sock is not None:
        with contextlib.suppress(OSError):  # it may have ended already
            sock.shutdown(socket.SHUT_RDWR)


def _predict_path(model: ServedModel) -> str:
    path = f"/v1/models/{quote(model.name, safe='')}"
    if model.version is not None:
        path += f"/versions/{model.version}"
    if model.label is not None:
        path += f"/labels/{quote(model.label, safe='')}"
    return f"{path}:predict"


def _request_body(signature: str, inputs: dict[str, list]) -> bytes:
    images = [
        {"b64": base64.b64encode(image).decode()} for image in inputs[names.IMAGE_BYTES]
    ]
    inputs = {**inputs, names.IMAGE_BYTES: images}
    return json.dumps({"signature_name": signature, "inputs": inputs}).encode()


def _error_message(content: bytes) -> str:
    """The server's `error`, or else what came instead."""
    try:
        return one_line(Exception(json.loads(content)["error"]))
    except (ValueError, RecursionError, LookupError, TypeError):
        return _quoted(content)


def _quoted(content: bytes) -> str:
    text = " ".join(content[:_QUOTED_CHARACTERS].decode(errors="replace").split())
    return repr(text) if text else "an empty body"
