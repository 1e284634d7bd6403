"""A real TensorFlow Serving, which the tests start on ports of loopback.

TF_SERVING_BINARY=/path/to/tensorflow_model_server names it.
"""

import atexit
import contextlib
import ctypes
import http.client
import io
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
import pytest
from PIL import Image

from bas_tf import names
from bas_tf.export.server import server_files, versions
from bas_tf.training import workers

BINARY = "TF_SERVING_BINARY"
needs_server = pytest.mark.skipif(
    not os.environ.get(BINARY), reason=f"no TensorFlow Serving: {BINARY} is not set"
)

NETWORK_WH = (64, 64)  # of the quick demo
AVAILABLE, END = "AVAILABLE", "END"
START_SECONDS = 120  # loads TensorFlow and a version, and warms it up
CALL_SECONDS = 60  # the first request of a shape may be slow without a warm-up
LOG_LINES = 60  # of the end of a server's log, which a failed test shows

_running: list["Server"] = []


class Predicted(NamedTuple):
    version: int
    outputs: dict[str, np.ndarray]


class Server:
    """A server process with its own group, its log, and ways to ask it.

    Args:
      folder: of the model's versions; its name is the model's.
      arguments: the server's command line behind the program.
      log: the file that gets what it says.
      ports: of gRPC and of REST.
    """

    def __init__(self, folder: Path, arguments: list[str], log: Path, ports):
        import grpc  # here, as the package of the next one is optional
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        self.address, self.rest_address = (f"127.0.0.1:{port}" for port in ports)
        self.model, self.log = folder.name, log
        self.path = f"/v1/models/{self.model}"
        sizes = ("grpc.max_send_message_length", "grpc.max_receive_message_length")
        self._channel = grpc.insecure_channel(
            self.address, [(name, -1) for name in sizes]
        )
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(
            self._channel
        )
        # The tests hide TensorFlow's messages; of the server they are wanted.
        hidden = {name for name in os.environ if name.startswith("TF_CPP_")}
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [_binary(), *arguments],
                stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                env={k: v for k, v in os.environ.items() if k not in hidden},
                start_new_session=True, preexec_fn=_die_with_the_tests,
            )  # fmt: skip
        _running.append(self)

    def rest(self, method: str, path: str, body: bytes | None = None):
        """Status and text of the answer."""
        connection = http.client.HTTPConnection(self.rest_address, timeout=CALL_SECONDS)
        with contextlib.closing(connection):
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read().decode()

    def post(self, document, *, path: str | None = None) -> tuple[int, dict]:
        """Status and JSON of the answer to a JSON document, or to bytes as they are.

        Args:
          document: what is sent.
          path: of the model, in place of this one's latest version.
        """
        if not isinstance(document, bytes):
            document = json.dumps(document).encode()
        status, text = self.rest("POST", f"{path or self.path}:predict", document)
        return status, json.loads(text)

    def predict(self, signature: str, inputs: dict, **model_spec) -> Predicted:
        """Asks over gRPC; raises grpc.RpcError.

        Args:
          signature: the model's.
          inputs: {name: array}; an object array of bytes for strings.
          **model_spec: `name`, `version_label`, or `version`.

        Returns:
          The version that answered, and {output: array}, of bytes for strings.
        """
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        version = model_spec.pop("version", None)
        spec = {"name": self.model, "signature_name": signature} | model_spec
        for key, value in spec.items():
            setattr(request.model_spec, key, value)
        if version is not None:
            request.model_spec.version.value = version
        for key, value in inputs.items():
            dtype = tf.string if value.dtype == object else None
            # With its shape, an array without elements has a type as well.
            proto = tf.make_tensor_proto(value, dtype=dtype, shape=value.shape)
            request.inputs[key].CopyFrom(proto)
        response = self._prediction.Predict(request, timeout=CALL_SECONDS)
        outputs = {key: tf.make_ndarray(p) for key, p in response.outputs.items()}
        return Predicted(response.model_spec.version.value, outputs)

    def states(self) -> dict[int, str]:
        """{version: its state} over REST; empty while the server knows none."""
        status, text = self.rest("GET", self.path)
        entries = json.loads(text)["model_version_status"] if status == 200 else []
        return {int(entry["version"]): entry["state"] for entry in entries}

    def wait_for(self, wanted: Callable[[], bool], what: str) -> None:
        """Waits until it holds; fails at once when the server has ended."""
        end = time.monotonic() + START_SECONDS
        while not self._holds(wanted):
            code = self.process.poll()
            assert code is None, f"the server ended with {code}\n{self.log_end()}"
            assert time.monotonic() < end, f"no {what} in time\n{self.log_end()}"
            time.sleep(0.1)

    def wait_for_states(self, states: dict[int, str]) -> None:
        self.wait_for(lambda: self.states() == states, f"{states}")

    def log_end(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        return "\n".join([f"--- end of {self.log}", *lines])

    def memory_bytes(self) -> int:
        """Resident, of the process and those that it started."""
        process = psutil.Process(self.process.pid)
        family = [process, *process.children(recursive=True)]
        return sum(member.memory_info().rss for member in family)

    def terminate(self, seconds: float) -> None:
        """Sends SIGTERM and waits for the end."""
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(seconds)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._channel.close()

    def _holds(self, wanted: Callable[[], bool]) -> bool:
        import grpc

        try:
            return wanted()
        except (OSError, http.client.HTTPException, grpc.RpcError, AssertionError):
            return False  # not up yet, or gone, or a label that is not known yet


@contextlib.contextmanager
def started(folder: Path, **changed: str | Path) -> Iterator[Server]:
    """A server of `BINARY` with the files in a model's folder, its model AVAILABLE.

    Args:
      folder: of the versions, with the files of `server_files`.
      **changed: flags in place of those exported.
    """
    ports = workers.free_ports(2)
    flags = {
        **dict(a[2:].split("=", 1) for a in server_files.server_arguments(folder)),
        "port": ports[0],
        "rest_api_port": ports[1],
        "file_system_poll_wait_seconds": 1,
        "model_config_file_poll_wait_seconds": 0,  # never again
        **changed,
    }
    arguments = [f"--{key}={value}" for key, value in flags.items()]
    log = folder.parent / f"server-{ports[0]}.log"
    server = Server(folder, arguments, log, ports)
    try:
        server.wait_for(lambda: AVAILABLE in server.states().values(), AVAILABLE)
        yield server
    finally:
        server.kill()
        _running.remove(server)


def show_logs() -> None:
    """Prints the ends of the servers' logs; pytest shows that of a failed test."""
    for server in _running:
        print(server.log_end())


def assert_same(found: dict, expected: dict) -> None:
    """Two answers are the same but for rounding, a pixel of the network in a box.

    Each is {output: array [batch, ...]}, strings as bytes.
    """
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        if key == names.HEATMAP_BYTES:
            for picture, other in zip(found[key], values, strict=True):
                np.testing.assert_allclose(grey(picture), grey(other), atol=1)
        elif values.dtype.kind == "f":
            atol = 1e-4
            if key == names.BOXES:
                pixel = expected[names.IMAGE_SIZE] / np.array(NETWORK_WH)
                atol += np.tile(pixel, [1, 2])
            assert np.shape(found[key]) == values.shape, key
            apart = np.abs(found[key] - values)
            assert (apart <= atol).all(), (key, found[key], values)
        else:
            assert found[key].tolist() == values.tolist(), key


def grey(content: bytes) -> np.ndarray:
    """A grey PNG's pixels, int [height, width]; of no content, none."""
    if not content:
        return np.zeros([0, 0], int)
    with Image.open(io.BytesIO(content)) as picture:
        assert (picture.format, picture.mode) == ("PNG", "L")
        return np.asarray(picture).astype(int)


def copied(exported: Path, parent: Path) -> Path:
    """A model's folder with version 1 of another one and its own files."""
    folder = parent / "bas"
    add_copy(exported / "1", folder)
    server_files.write_server_files(folder)
    return folder


def add_copy(version: Path, folder: Path) -> Path:
    """Adds a version that shares its files with this one, as an export adds it."""
    with versions.temporary_folder(folder) as temporary:
        new = temporary / "version"
        shutil.copytree(version, new, copy_function=os.link)
        return versions.add_version(new, folder)


def _binary() -> str:
    named = os.environ[BINARY]
    found = shutil.which(named)
    assert found, f"{BINARY}={named}: no program"
    return os.path.abspath(found)


def _die_with_the_tests() -> None:
    """Asks Linux to kill this process when its parent is killed."""
    set_death_signal = 1
    ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)


@atexit.register
def _kill_all() -> None:
    """What a run that was broken off leaves behind."""
    for server in _running:
        server.kill()
