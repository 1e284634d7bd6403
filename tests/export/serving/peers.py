"""Servers in the test's own process that answer by formula, or misbehave when asked to.

An image of w x h pixels has the box (w / 4, h / 4, w / 2, h / 2) and the class of its
strongest channel. What cannot be decoded has status 1. What a TensorFlow Serving does
under load was recorded from a real one: calls beyond its threads are refused, and with
batching an empty batch locks it for good.
"""

import base64
import contextlib
import importlib.util
import io
import json
import socket
import socketserver
import threading
import time
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

needs_grpc = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow_serving") is None,
    reason="tensorflow-serving-api is missing",
)
PROTOCOLS = ["rest", pytest.param("grpc", marks=needs_grpc)]
CLASSES = ("red", "green", "blue")


def answer(images: list[bytes], class_ids: list[int] | None = None) -> dict:
    """The served model's outputs as nested lists."""
    rows = [_answer_one(image) for image in images]
    keys = ["boxes", "degenerate", "confidence", "image_size", "status"]
    if class_ids is None:
        keys += ["class_ids", "class_names", "scores"]
    return {key: [row[key] for row in rows] for key in keys}


def _answer_one(content: bytes) -> dict:
    try:
        pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    except OSError:
        pixels = None
    good = pixels is not None
    height, width = pixels.shape[:2] if good else (0, 0)
    means = pixels.mean(axis=(0, 1)) if good else np.ones(3)
    order = np.argsort(-means, kind="stable")
    return {
        "class_ids": order.tolist(),
        "class_names": [CLASSES[i] for i in order],
        "scores": (means[order] / means.sum()).tolist(),
        "boxes": [width / 4, height / 4, width / 2, height / 2],
        "degenerate": False,
        "confidence": 0.75,
        "image_size": [width, height],
        "status": 0 if good else 1,
    }


class Peer:
    """What both servers count.

    Attributes:
      faults: what the next requests do instead of the usual; each takes one.
      seconds: how long every good answer takes.
      most_calls: beyond so many at a time, requests are refused.
      locked: nobody is answered any more; an empty image or batch does that.
      at: {number of images answered: what happens then}.
      images: those of good answers, in the order of their requests.
      requests: {"path" or "spec", "signature", "class_ids"} of each request.
      most_at_a_time, refused: of the requests.
    """

    def __init__(self, protocol: str):
        self.protocol = protocol
        self.faults: list = []
        self.seconds, self.most_calls = 0.0, 1000
        self.locked, self.at = False, {}
        self.images: list[bytes] = []
        self.requests: list[dict] = []
        self.connections: set = set()
        self.most_at_a_time = self.refused = 0
        self.address = ""
        self.closed = threading.Event()
        self._now = 0
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def counted(self, connection, images, **request):
        """Yields the fault that this request is to meet, or None."""
        with self._lock:
            self.connections.add(connection)
            self.requests.append(request)
            self.locked |= not all(images) or not images
            self._now += 1
            self.most_at_a_time = max(self.most_at_a_time, self._now)
            fault = self.faults.pop(0) if self.faults else None
            if self._now > self.most_calls:
                fault = self.refuses
                self.refused += 1
        try:
            if self.locked:
                self.closed.wait()
            yield fault
        finally:
            with self._lock:
                self._now -= 1

    def answered(self, images, class_ids):
        time.sleep(self.seconds)
        with self._lock:
            counts = range(len(self.images) + 1, len(self.images) + len(images) + 1)
            self.images += images
        for count in counts:
            self.at.get(count, bool)()
        return answer(images, class_ids)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else an answer's second packet waits 40 ms

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        inputs = body["inputs"]
        images = [base64.b64decode(i["b64"]) for i in inputs["image_bytes"]]
        peer = self.server.peer
        with peer.counted(
            self.client_address,
            images,
            path=self.path,
            signature=body["signature_name"],
            class_ids=inputs.get("class_ids"),
        ) as fault:
            if fault is not None:
                fault(self)
                return
            outputs = peer.answered(images, inputs.get("class_ids"))
            with contextlib.suppress(OSError):  # a client that waits no more
                send(self, 200, json.dumps({"outputs": outputs}).encode())

    def log_message(self, *_):
        pass


def send(handler, status: int, content: bytes) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def says(status: int, content) -> object:
    """A fault: this status with this body, JSON unless bytes."""
    if not isinstance(content, bytes):
        content = json.dumps(content).encode()
    return lambda handler: send(handler, status, content)


def drops_mid_body(handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "400")
    handler.end_headers()
    handler.wfile.write(b'{"outputs": {')
    handler.close_connection = True


def drops_mid_head(handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: app")
    handler.close_connection = True


def drops_before_answering(handler) -> None:
    handler.close_connection = True


def closes_afterwards(handler) -> None:
    """A good answer, and then the kept connection ends without a word."""
    outputs = answer([png()])
    send(handler, 200, json.dumps({"outputs": outputs}).encode())
    handler.close_connection = True


def trickles(place: str):
    """A fault: one byte every 0.05 s of the "head" or the "body", for 20 s.

    The body of "last body" comes on a connection that it says it will close.
    """

    def trickle(handler):
        if place.endswith("body"):
            handler.send_response(200)
            if place == "last body":
                handler.send_header("Connection", "close")
            handler.send_header("Content-Length", "400")
            handler.end_headers()
        else:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        with contextlib.suppress(OSError):
            for _ in range(400):
                handler.wfile.write(b" ")
                time.sleep(0.05)
        handler.close_connection = True

    return trickle


@contextlib.contextmanager
def rest_peer(port: int = 0):
    peer = Peer("rest")
    peer.refuses = says(429, {"error": "too many requests"})
    with ThreadingHTTPServer(("127.0.0.1", port), _Handler) as server:
        server.peer, server.daemon_threads, server.block_on_close = peer, True, False
        peer.address = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield peer
        finally:
            peer.closed.set()
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def grpc_peer(port: int = 0):
    """Its faults take (request, context) and return a response or abort."""
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    peer = Peer("grpc")

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            images = list(request.inputs["image_bytes"].string_val)
            class_ids = None
            if "class_ids" in request.inputs:
                class_ids = tf.make_ndarray(request.inputs["class_ids"])
                assert class_ids.dtype == np.int32
                class_ids = class_ids.tolist()
            spec = request.model_spec
            with peer.counted(
                context.peer(),
                images,
                spec=spec,
                signature=spec.signature_name,
                class_ids=class_ids,
            ) as fault:
                if fault is not None:
                    return fault(request, context)
                return grpc_response(peer.answered(images, class_ids))

    def grpc_response(outputs):
        response = predict_pb2.PredictResponse()
        for key, value in outputs.items():
            dtype = np.asarray(value).dtype
            kind = {"i": tf.int32, "f": tf.float32}.get(dtype.kind)
            proto = tf.make_tensor_proto(value, dtype=kind)
            response.outputs[key].CopyFrom(proto)
        return response

    peer.response = grpc_response
    peer.refuses = aborts("RESOURCE_EXHAUSTED", "Server Threadpool Exhausted")
    server = grpc.server(futures.ThreadPoolExecutor(32))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        Service(), server
    )
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    peer.address = f"127.0.0.1:{port}"
    server.start()
    try:
        yield peer
    finally:
        peer.closed.set()
        server.stop(0.1).wait()


def aborts(code: str, message: str):
    """A fault of gRPC."""
    import grpc

    return lambda request, context: context.abort(grpc.StatusCode[code], message)


class Relay(socketserver.ThreadingTCPServer):
    """Passes bytes on between callers and a peer; can drop them all, or fall silent."""

    daemon_threads, block_on_close = True, False

    def __init__(self, peer: Peer):
        host, port = peer.address.split(":")
        self._target, self._sockets = (host, int(port)), set()
        self._flows = threading.Event()
        self._flows.set()
        super().__init__(("127.0.0.1", 0), None)
        self.address = f"127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def finish_request(self, request, client_address):
        with socket.create_connection(self._target) as there, request:
            self._sockets |= {there, request}
            back = threading.Thread(target=self._pass_on, args=(there, request))
            back.start()
            self._pass_on(request, there)
            back.join()
            self._sockets -= {there, request}

    def _pass_on(self, source, sink):
        with contextlib.suppress(OSError):
            while content := source.recv(65536):
                self._flows.wait()
                sink.sendall(content)
        for end in (source, sink):
            self._end(end)

    @staticmethod
    def _end(sock):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    def drop(self) -> None:
        """Every connection ends, whatever it waits for."""
        for sock in list(self._sockets):
            self._end(sock)

    def fall_silent(self, seconds: float) -> None:
        self._flows.clear()
        threading.Timer(seconds, self._flows.set).start()

    def server_close(self) -> None:
        super().server_close()
        self._flows.set()
        self.drop()


def png(size_wh=(40, 20), color=(200, 10, 20)) -> bytes:
    """A PNG of one colour."""
    file = io.BytesIO()
    Image.new("RGB", size_wh, color).save(file, "PNG")
    return file.getvalue()
