"""Both clients against peers that answer by formula and misbehave when asked to."""

import contextlib
import socket
import subprocess
import sys
import threading
import time
from concurrent import futures

import numpy as np
import pytest

from bas_tf.errors import UserError
from bas_tf.export.client import connection
from bas_tf.export.client.served import ServedModel, ServingError
from bas_tf.training import workers
from tests.commands import REPO
from tests.export.serving import peers
from tests.export.serving.peers import PROTOCOLS, needs_grpc


def connected(peer, **settings):
    settings = {"protocol": peer.protocol, "timeout_s": 5.0} | settings
    return connection.connect(peer.address, **settings)


def localize_one(peer, **settings):
    with connected(peer, **settings) as serving:
        return serving.localize([peers.png()])


@contextlib.contextmanager
def taking_at_most(seconds):
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds


# Good answers ----------------------------------------------------------------
def test_answers_are_those_of_the_formula(peer):
    images = [peers.png((40, 20)), peers.png((8, 80), (0, 30, 90))]
    with connected(peer) as serving:
        first, second = serving.localize(images)
        assert serving.localize([]) == []
    assert first.box == (10, 5, 20, 10) and first.size_wh == (40, 20)
    assert second.class_ids == (2, 1, 0)
    assert second.class_names == ("blue", "green", "red")
    np.testing.assert_allclose(second.scores, [0.75, 0.25, 0])
    assert not second.degenerate and not second.fault
    assert peer.images == images  # byte for byte, NUL bytes too
    assert [r["signature"] for r in peer.requests] == ["serving_default"]


def test_a_given_class(peer):
    with connected(peer) as serving:
        found = serving.localize_class([peers.png()] * 2, [2, 1])
        with pytest.raises(ValueError, match="1 images but 2 class_ids"):
            serving.localize_class([peers.png()], [1, 2])
    assert [f.class_ids for f in found] == [(2,), (1,)]
    assert found[0].box == (10, 5, 20, 10) and found[0].scores == ()
    request = peer.requests[0]
    assert (request["signature"], request["class_ids"]) == ("localize_class", [2, 1])


def test_one_bad_row_among_eight(peer):
    images = [peers.png() for _ in range(8)]
    images[3] = b"no image"
    with connected(peer) as serving:
        found = serving.localize(images)
    assert [bool(f.fault) for f in found] == [i == 3 for i in range(8)]
    assert "cannot decode" in found[3].fault and found[3].box == ()


MODELS = {
    "/v1/models/bas:predict": ServedModel(),
    "/v1/models/a%20b/versions/7:predict": ServedModel("a b", version=7),
    "/v1/models/bas/labels/stable:predict": ServedModel(label="stable"),
}


@pytest.mark.parametrize("path", MODELS)
def test_model_and_version_are_named(peer, path):
    model = MODELS[path]
    localize_one(peer, model=model)
    if "path" in peer.requests[0]:
        assert peer.requests[0]["path"] == path
        return
    spec = peer.requests[0]["spec"]
    assert spec.name == model.name and spec.version_label == (model.label or "")
    assert spec.version.value == (model.version or 0)


def test_a_connection_is_used_again(peer):
    with connected(peer) as serving:
        for _ in range(10):
            serving.localize([peers.png()])
    assert len(peer.requests) == 10 and len(peer.connections) == 1


def test_threads_share_as_many_connections_as_calls_at_a_time(peer):
    peer.seconds = 0.05
    with connected(peer) as serving, futures.ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: serving.localize([peers.png()]), range(12)))
    assert len(peer.requests) == 12
    assert len(peer.connections) <= (3 if peer.protocol == "rest" else 1)


def test_a_connection_that_ended_while_idle_is_made_anew(rest):
    rest.faults = [peers.closes_afterwards]
    with connected(rest) as serving:
        serving.localize([peers.png()])
        time.sleep(0.2)
        serving.localize([peers.png()])
    assert len(rest.connections) == 2


# What is tried again, and what is not ----------------------------------------
@pytest.mark.parametrize(
    "protocol, fault",
    [
        ("rest", peers.says(503, {"error": "loading"})),
        ("rest", peers.says(429, {"error": "loading"})),
        ("rest", peers.drops_before_answering),
        ("rest", peers.drops_mid_body),
        ("rest", peers.drops_mid_head),
        ("grpc", "UNAVAILABLE"),
        ("grpc", "RESOURCE_EXHAUSTED"),
    ],
)
def test_later_is_tried_again_and_ends_at_the_deadline(protocol, fault):
    if protocol == "grpc":
        pytest.importorskip("tensorflow_serving")
        fault = peers.aborts(fault, "loading")
    with getattr(peers, f"{protocol}_peer")() as peer:
        peer.faults = [fault] * 2
        assert localize_one(peer)[0].box == (10, 5, 20, 10)
        assert len(peer.requests) == 3
        peer.faults = [fault] * 99
        with taking_at_most(5), pytest.raises(ServingError, match=r"tried \d times"):
            localize_one(peer, timeout_s=1.0)
        # The shortest pauses are 0.05, 0.1, 0.2 and 0.4 s, and one more is late.
        assert 3 + 2 <= len(peer.requests) <= 3 + 5
        peer.faults, before = [fault], len(peer.requests)
        with pytest.raises(ServingError):
            localize_one(peer, retries=False)
        assert len(peer.requests) == before + 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nobody_listens(protocol):
    address = f"127.0.0.1:{workers.free_ports(1)[0]}"
    words = r"[Rr]efused.*tried \d times"
    with (
        connection.connect(address, protocol=protocol, timeout_s=1.0) as serving,
        taking_at_most(5),
        pytest.raises(ServingError, match=words),
    ):
        serving.localize([peers.png()])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_server_that_starts_late_is_found(protocol):
    (port,) = workers.free_ports(1)
    with (
        connection.connect(f"127.0.0.1:{port}", protocol=protocol) as serving,
        futures.ThreadPoolExecutor(1) as pool,
    ):
        answer = pool.submit(serving.localize, [peers.png()])
        time.sleep(0.7)
        with getattr(peers, f"{protocol}_peer")(port):
            assert answer.result()[0].box == (10, 5, 20, 10)


@pytest.mark.parametrize(
    "fault, words",
    [
        (peers.says(400, {"error": "bad\n input"}), "^HTTP 400: bad input$"),
        (peers.says(404, b"<HTML>Not Found"), "404: .*<HTML>Not Found"),
        (peers.says(500, b""), "500: "),
        (peers.says(502, {"error": 7}), "502: "),
        (peers.says(200, b'{"outputs": {'), "outputs"),
        (peers.says(200, b"[" * 100_000), "outputs"),
        (peers.says(200, b"\xff\xfe"), "outputs"),
        (peers.says(200, b"[1]"), "outputs"),
        (peers.says(200, {"predictions": []}), "outputs"),
        (peers.says(200, {"outputs": [1, 2]}), "outputs"),
    ],
)
def test_rest_fails_at_once_and_asks_once(rest, fault, words):
    rest.faults = [fault]
    with connected(rest) as serving:
        with taking_at_most(3), pytest.raises(ServingError, match=words):
            serving.localize([peers.png()])
        assert len(rest.requests) == 1
        assert serving.localize([peers.png()])[0].box == (10, 5, 20, 10)


@needs_grpc
@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "NOT_FOUND", "INTERNAL"])
def test_grpc_tells_at_once_and_asks_once(grpc_peer, code):
    grpc_peer.faults = [peers.aborts(code, "Servable\n not found")]
    with pytest.raises(ServingError, match=f"^{code}: Servable not found$"):
        localize_one(grpc_peer)
    assert len(grpc_peer.requests) == 1


# Deadlines -------------------------------------------------------------------
def test_a_slow_server(peer):
    peer.seconds = 4
    with (
        connected(peer, timeout_s=0.5) as serving,
        taking_at_most(3),
        pytest.raises(ServingError, match="no whole answer within 0.5 s"),
    ):
        serving.localize([peers.png()])


@pytest.mark.parametrize("retries", [True, False])
def test_after_a_call_in_vain_an_answer_as_slow_as_before_is_waited_for(rest, retries):
    with connected(rest, timeout_s=0.6, retries=retries) as serving:
        for seconds, is_in_time in ((0.2, True), (1, False), (0.2, True)):
            rest.seconds = seconds
            with (
                contextlib.nullcontext() if is_in_time else pytest.raises(ServingError)
            ):
                assert serving.localize([peers.png()])[0].box


@pytest.mark.parametrize("place", ["head", "body", "last body"])
def test_bytes_that_trickle_do_not_prolong_a_call(rest, place):
    rest.faults = [peers.trickles(place)]
    with (
        taking_at_most(5),
        pytest.raises(ServingError, match="no whole answer within 0.5 s"),
    ):
        localize_one(rest, timeout_s=0.5)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_peer_that_accepts_and_says_nothing(protocol):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        big = [bytes(30_000_000)]  # more than the sockets' buffers hold
        with (
            connection.connect(address, protocol=protocol, timeout_s=0.7) as serving,
            taking_at_most(5),
            pytest.raises(ServingError, match="no whole answer within|UNAVAILABLE"),
        ):
            serving.localize(big)


def test_closing_ends_a_call_that_waits(peer):
    peer.seconds = 6
    serving = connected(peer, timeout_s=20.0)
    threading.Timer(0.3, serving.close).start()
    with taking_at_most(4), pytest.raises(ServingError):
        serving.localize([peers.png()])
    with pytest.raises(ServingError, match="closed"):
        serving.localize([peers.png()])


# Answers that are not as promised --------------------------------------------
def changed(**outputs):
    return {**peers.answer([peers.png()]), **outputs}


WRONG = [
    ({"boxes": [[1, 2, 3]]}, r"'boxes' is \w+ \[1, 3\]; .* \[1, 4\]"),
    ({"boxes": [[1, 2, 3, 4]] * 2}, r"'boxes' is \w+ \[2, 4\]"),
    ({"scores": [0.5]}, "'scores' is "),
    ({"scores": [[0.5, 0.5]]}, "'scores' is "),
    ({"class_ids": [[]], "class_names": [[]], "scores": [[]]}, "answer's"),
    ({"class_ids": [["a", "b", "c"]]}, "'class_ids' is "),
    ({"degenerate": [3]}, "'degenerate' is "),
    ({"confidence": [[0.5]]}, "'confidence' is "),
    ({"status": [0.5]}, "'status' is float"),
]


def answers_with(peer, outputs):
    """The peer's next answer, whatever protocol it speaks."""
    peer.faults = [
        peers.says(200, {"outputs": outputs})  # NaN as a bare token, as the server does
        if peer.protocol == "rest"
        else lambda *_: peer.response(outputs)
    ]


@pytest.mark.parametrize("outputs, told", WRONG)
def test_outputs_of_wrong_shapes_and_types(peer, outputs, told):
    answers_with(peer, changed(**outputs))
    with pytest.raises(ServingError, match=told):
        localize_one(peer)


@pytest.mark.parametrize("value", [[[1, 2, 3, 4], [1]], [[1, None, 3, 4]], {}, "x"])
def test_rest_outputs_that_are_no_arrays(rest, value):
    answers_with(rest, changed(boxes=value))
    with pytest.raises(ServingError, match="output 'boxes' is "):
        localize_one(rest)


def test_a_missing_output_is_named(peer):
    outputs = peers.answer([peers.png()])
    del outputs["boxes"]
    answers_with(peer, outputs)
    with pytest.raises(ServingError, match="lacks output 'boxes'; its outputs: class"):
        localize_one(peer)


def test_a_model_of_before_there_was_a_confidence(peer):
    outputs = peers.answer([peers.png()])
    del outputs["confidence"]
    answers_with(peer, outputs)
    (found,) = localize_one(peer)
    assert not found.fault and found.confidence is None


def test_nan_is_a_fault_of_its_row_alone(peer):
    outputs = peers.answer([peers.png()] * 3)
    outputs["boxes"][1][2] = float("nan")
    outputs["scores"][2][0] = float("inf")
    answers_with(peer, outputs)
    with connected(peer) as serving:
        good, nan, infinite = serving.localize([peers.png()] * 3)
    assert not good.fault and "boxes" in nan.fault and "scores" in infinite.fault


# What connecting asks for ----------------------------------------------------
@pytest.mark.parametrize(
    "address", ["localhost", "http://localhost:8501", "localhost:0", "a:99999", ":1"]
)
def test_an_address_that_is_none(address):
    with pytest.raises(UserError, match="--address=.*: not HOST:PORT"):
        connection.connect(address)
    with pytest.raises(UserError, match="protocol is 'http'; known: grpc, rest"):
        connection.connect("localhost:1", protocol="http")


def test_rest_loads_neither_tensorflow_nor_the_serving_api():
    with peers.rest_peer() as peer:
        script = f"""
import sys
from bas_tf.export.client import connection as client, photos, results_file, run_client
with client.connect("{peer.address}", protocol="rest") as serving:
    assert serving.localize([b"no image"])[0].fault
loaded = {{"tensorflow", "tensorflow_serving", "grpc"}} & set(sys.modules)
sys.exit(str(loaded) if loaded else 0)"""
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=REPO, capture_output=True, text=True
        )
    assert done.returncode == 0, done.stderr


def test_without_the_serving_api_one_line_says_what_to_install(monkeypatch):
    pytest.importorskip("grpc")
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    with pytest.raises(UserError, match="^--protocol=grpc: .*`pip install --no-deps t"):
        connection.connect("localhost:8500")
