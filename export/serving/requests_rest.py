"""Asks TensorFlow Serving over REST: connections are kept and used again.

By the standard library alone: the packages for HTTP count a timeout anew with every
byte, so a peer that trickles its answer could hold them for ever.
"""

import base64
import contextlib
import http.client
import json
import select
import socket
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from bas_tf import names
from bas_tf.errors import one_line
from export.serving.serving_client import (
    Deadline,
    ServedModel,
    ServingClient,
    ServingError,
    UnavailableError,
)

MAX_ANSWER_BYTES = 64 * 2**20
_QUOTED_CHARACTERS = 300  # of an answer that is not the server's JSON


class RestClient(ServingClient):
    """See `ServingClient`; as many connections as there are calls at a time.

    Args:
      address: HOST:PORT of the server's REST port.
      model: which one is asked.
      timeout_s: for each call.
      retries: see `ServingClient`.
    """

    def __init__(
        self, address: str, model: ServedModel, *, timeout_s: float, retries: bool
    ):
        super().__init__(model, timeout_s=timeout_s, retries=retries)
        self._address = address
        self._path = _predict_path(model)
        self._lock = threading.Lock()
        self._idle: list[_Connection] = []
        self._in_use: set[_Connection] = set()

    def _predict(
        self, signature: str, inputs: dict[str, list], deadline: Deadline
    ) -> Mapping[str, Any]:
        status, content = self._post(_request_body(signature, inputs), deadline)
        if status != 200:
            message = f"HTTP {status}: {_error_message(content)}"
            raise (UnavailableError if status == 503 else ServingError)(message)
        answer = _parse(content)
        outputs = answer.get("outputs") if isinstance(answer, dict) else None
        if not isinstance(outputs, dict):
            raise ServingError(f"the answer has no outputs: {_quoted(content)}")
        return outputs

    def _post(self, body: bytes, deadline: Deadline) -> tuple[int, bytes]:
        """Status and body of the answer."""
        connection = self._take()
        try:
            answer = connection.post(self._path, body, deadline)
        except TimeoutError:
            raise
        except ConnectionRefusedError as error:
            message = f"{self._address} refuses the connection"
            raise UnavailableError(message) from error
        except (OSError, http.client.HTTPException) as error:
            reason = one_line(error) or type(error).__name__
            raise ServingError(f"the connection broke: {reason}") from error
        finally:
            self._put_back(connection)
        return answer

    def _take(self) -> "_Connection":
        with self._lock:
            connection = self._idle.pop() if self._idle else _Connection(self._address)
            self._in_use.add(connection)
            return connection

    def _put_back(self, connection: "_Connection") -> None:
        with self._lock:
            self._in_use.remove(connection)
            self._idle.append(connection)
        if self._closed.is_set():
            connection.close()

    def _close_connections(self) -> None:
        with self._lock:
            for connection in self._in_use:
                connection.interrupt()
            for connection in self._idle:
                connection.close()


class _DeadlineSocket(socket.socket):
    """A socket whose waits all end at one deadline."""

    deadline: Deadline

    def recv_into(self, *args, **kwargs):
        self.settimeout(self.deadline.seconds_left())
        return super().recv_into(*args, **kwargs)

    def sendall(self, *args, **kwargs):
        self.settimeout(self.deadline.seconds_left())
        return super().sendall(*args, **kwargs)


class _Connection(http.client.HTTPConnection):
    """Stays open from one request to the next, unless something went wrong."""

    _deadline: Deadline

    def connect(self) -> None:
        wait = self._deadline.seconds_left()
        plain = socket.create_connection((self.host, self.port), wait)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = _DeadlineSocket(fileno=plain.detach())
        self.sock.deadline = self._deadline

    def post(self, path: str, body: bytes, deadline: Deadline) -> tuple[int, bytes]:
        """Status and body of the answer; raises what `http.client` does."""
        self._deadline = deadline
        if self.sock is not None:
            self._close_if_dropped()
        if self.sock is not None:
            self.sock.deadline = deadline
        try:
            self.request("POST", path, body, {"Content-Type": "application/json"})
            response = self.getresponse()
            return response.status, _read_body(response)
        except BaseException:
            self.close()
            raise

    def interrupt(self) -> None:
        """Ends the waiting of another thread that uses this connection."""
        sock = self.sock
        if sock is not None:
            with contextlib.suppress(OSError):  # it may have ended already
                sock.shutdown(socket.SHUT_RDWR)

    def _close_if_dropped(self) -> None:
        """Nothing is due on an idle connection: what can be read there is its end."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        if poll.poll(0):
            self.close()  # `request` opens it again


def _read_body(response: http.client.HTTPResponse) -> bytes:
    content = response.read(MAX_ANSWER_BYTES + 1)
    if len(content) > MAX_ANSWER_BYTES:
        raise http.client.HTTPException(f"more than {MAX_ANSWER_BYTES} bytes came")
    if response.length:  # what `read` of some size leaves unsaid
        whole = len(content) + response.length
        message = f"closed after {len(content)} of the answer's {whole} bytes"
        raise http.client.HTTPException(message)
    return content


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
    document = {
        "signature_name": signature,
        "inputs": {**inputs, names.IMAGE_BYTES: images},
    }
    return json.dumps(document).encode()


def _parse(content: bytes) -> Any:
    """The answer's JSON; NaN and Infinity, which the server writes bare, are read."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ServingError(f"the answer is not JSON: {_quoted(content)}") from error


def _error_message(content: bytes) -> str:
    """The server's `error`, or else what came instead."""
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return _quoted(content)
    has_message = isinstance(answer, dict) and isinstance(answer.get("error"), str)
    return one_line(Exception(answer["error"])) if has_message else _quoted(content)


def _quoted(content: bytes) -> str:
    text = " ".join(content[:_QUOTED_CHARACTERS].decode(errors="replace").split())
    return repr(text) if text else "an empty body"
