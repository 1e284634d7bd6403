"""A real TensorFlow Serving with the files of an export: versions, labels, batches.

See `real_server`; these tests start its processes themselves.
"""

import base64
import contextlib
import itertools
import re
import threading
import time
from concurrent import futures

import numpy as np
import pytest
import tensorflow as tf

from bas_tf import files, names
from bas_tf.export.artifacts import decoding
from bas_tf.export.client import connection
from bas_tf.export.client.served import ServedModel, ServingError
from bas_tf.export.server import server_files, warm_up
from tests.export import test_server_model
from tests.export.encoded_images import encode, smooth
from tests.export.serving import real_server
from tests.export.serving.peers import needs_grpc
from tests.export.serving.real_server import (
    AVAILABLE,
    END,
    NETWORK_WH,
    assert_same,
    copied,
    started,
)
from tests.export.test_server_model import of_files

pytestmark = [
    pytest.mark.slow,
    real_server.needs_server,
    needs_grpc,
]

PHOTOS = test_server_model.photos(7)  # JPEG and PNG of seven sizes
PIXELS = np.random.default_rng(0).integers(0, 256, [3, 50, 81, 3], np.uint8)
GIVEN = 3  # a class
MOST = 32  # of a batch, in batching.config
CALLERS = 4


@pytest.fixture(scope="module")
def batching(exported):
    """As batching.config says to switch it on."""
    flags = {
        "enable_batching": "true",
        "batching_parameters_file": exported / server_files.BATCHING,
    }
    with started(exported, **flags) as server:
        yield server


def code_of(error) -> str:
    return error.value.code().name


# Answers ---------------------------------------------------------------------
@pytest.fixture(scope="module")
def expected(keras_runner) -> dict[str, list[dict]]:
    """The Keras model's outputs of each image: predicted, of class GIVEN, of pixels."""
    predict = keras_runner.predict_fn
    resized = [test_server_model.resized(photo) for photo in PHOTOS]
    pixels = [decoding.resize(p[np.newaxis], NETWORK_WH).numpy() for p in PIXELS]
    predicted = [predict(image) for image in resized]
    labelled = [keras_runner.label_fn(image, np.array([GIVEN])) for image in resized]
    given = [
        row
        | {
            names.BOXES: row[names.LABEL_BOXES],
            names.DEGENERATE: row[names.LABEL_DEGENERATE],
        }
        for row in labelled
    ]
    return {
        names.SIGNATURE: predicted,
        names.HEATMAP_SIGNATURE: predicted,
        names.CLASS_SIGNATURE: given,
        names.TENSOR_SIGNATURE: [predict(image) for image in pixels],
    }


def size_of_input(signature: str, i: int) -> tuple[int, int]:
    is_pixels = signature == names.TENSOR_SIGNATURE
    return (81, 50) if is_pixels else test_server_model.size_of(PHOTOS[i])


@pytest.mark.parametrize(
    "signature, inputs",
    [
        (names.SIGNATURE, of_files(PHOTOS)),
        (names.HEATMAP_SIGNATURE, of_files(PHOTOS)),
        (
            names.CLASS_SIGNATURE,
            of_files(PHOTOS, class_ids=np.full([len(PHOTOS)], GIVEN, np.int32)),
        ),
        (names.TENSOR_SIGNATURE, {names.IMAGES: PIXELS}),
    ],
)
def test_answers_are_the_keras_models(
    server, keras_runner, expected, signature, inputs
):
    """But for rounding: another build of TensorFlow adds in another order."""
    classes = keras_runner.class_names
    outputs = server.predict(signature, inputs).outputs
    for i, row in enumerate(expected[signature]):
        found = {key: values[i] for key, values in outputs.items()}
        class_ids, scores = found[names.CLASS_IDS], row[names.SCORES][0]
        assert found.get(names.STATUS, decoding.GOOD) == decoding.GOOD
        assert found[names.DEGENERATE] == row[names.DEGENERATE][0]
        assert tuple(found[names.IMAGE_SIZE]) == size_of_input(signature, i)
        # Classes as good as equal may change places.
        np.testing.assert_allclose(found[names.SCORES], scores[class_ids], atol=1e-4)
        np.testing.assert_allclose(
            found[names.SCORES], np.sort(scores)[::-1][:5], atol=1e-4
        )
        assert [n.decode() for n in found[names.CLASS_NAMES]] == [
            classes[c] for c in class_ids
        ]
        scale = np.tile(found[names.IMAGE_SIZE] / np.array(NETWORK_WH), 2)
        apart = np.abs(found[names.BOXES] - row[names.BOXES][0] * scale)
        assert (apart <= scale + 1e-3).all(), (found, row)
        if names.LOCALIZATION_MAP in found:
            np.testing.assert_allclose(
                found[names.LOCALIZATION_MAP][..., 0],
                row[names.LOCALIZATION_MAP][0],
                atol=1e-4,
            )


@pytest.mark.parametrize("signature", [names.SIGNATURE, names.HEATMAP_SIGNATURE])
def test_batches_of_the_server_change_no_answer(batching, server, signature):
    """Images of different sizes, each its own request, many at a time."""

    def ask(server, count):
        photos = itertools.islice(itertools.cycle(PHOTOS), 4 * len(PHOTOS))
        requests = [of_files([photo]) for photo in photos]
        with futures.ThreadPoolExecutor(count) as pool:
            return list(
                pool.map(lambda r: server.predict(signature, r).outputs, requests)
            )

    alone = ask(server, 1)
    for asked, count in ((batching, 1), (batching, 16), (server, 16)):
        for found, one in zip(ask(asked, count), alone, strict=True):
            assert_same(found, one)


def test_the_largest_batch_and_one_that_is_too_large(batching, server):
    import grpc

    photo = encode(smooth((20, 20)), "PNG")
    most, more = (of_files([photo] * count) for count in (MOST, MOST + 1))
    answer = batching.predict(names.SIGNATURE, most)
    assert len(answer.outputs[names.BOXES]) == MOST
    with pytest.raises(grpc.RpcError) as error:
        batching.predict(names.SIGNATURE, more)
    assert code_of(error) == "INVALID_ARGUMENT"
    answer = server.predict(names.SIGNATURE, more)
    assert len(answer.outputs[names.BOXES]) == MOST + 1


def test_an_empty_batch_is_refused_at_once(server):
    """With batching it would lock the server."""
    import grpc

    for signature, inputs in (
        (names.SIGNATURE, of_files([])),
        (names.CLASS_SIGNATURE, of_files([], class_ids=np.zeros([0], np.int32))),
        (names.TENSOR_SIGNATURE, {names.IMAGES: PIXELS[:0]}),
    ):
        with pytest.raises(grpc.RpcError) as error:
            server.predict(signature, inputs)
        assert code_of(error) == "INVALID_ARGUMENT"
    status, answer = server.post({"inputs": {names.IMAGE_BYTES: []}})
    assert status == 400 and "an empty batch" in answer["error"]


@pytest.mark.parametrize("threads, retries", [(None, False), ("8", True)])
def test_sixteen_callers_are_all_answered(exported, server, threads, retries):
    """By the written number of threads at once, by fewer after some retries."""
    with contextlib.ExitStack() as started_here:
        if threads:
            flags = {"grpc_max_threads": threads}
            server = started_here.enter_context(started(exported, **flags))
        serving = started_here.enter_context(
            connection.connect(
                server.address, model=ServedModel(server.model), retries=retries
            )
        )
        pool = started_here.enter_context(futures.ThreadPoolExecutor(16))
        photos = [PHOTOS[i % len(PHOTOS)] for i in range(96)]
        for (answer,) in pool.map(lambda photo: serving.localize([photo]), photos):
            assert not answer.fault


# What the operator sees ------------------------------------------------------
def test_the_warm_up_ran(server, exported):
    path = exported / "1" / warm_up.FILE
    count = sum(1 for _ in tf.data.TFRecordDataset(str(path)))
    assert count == 4 * len(server_files.WARM_UP_SIZES)
    text = server.log.read_text(errors="replace")
    told = re.search(r"warmup data.*\n?.*warmup records read: (\d+)", text)
    assert told and int(told[1]) == count


def test_metrics_at_the_configured_path(server, exported):
    status, text = server.rest("GET", server_files.METRICS_PATH)
    assert status == 200
    label = f'model_path="{exported / "1"}",status="success"'
    assert f":tensorflow:cc:saved_model:load_attempt_count{{{label}}} 1" in text


def test_bad_requests_neither_end_the_server_nor_fill_its_memory(server):
    """Measured over 200 rounds, after some in which its threads get their buffers.

    Were the noise of one of a round's requests kept, it would be 200 MiB.
    """
    import grpc

    bound = 100 * 2**20
    noise = np.random.default_rng(0).bytes(2**20)
    cut = encode(smooth((600, 400)), "JPEG")[:-2000]

    def a_round():
        outputs = server.predict(names.SIGNATURE, of_files([noise, cut])).outputs
        assert (outputs[names.STATUS] == decoding.UNREADABLE).all()
        assert server.post(b'{"inputs": ' + noise)[0] == 400
        for signature, inputs in (
            ("zzz", of_files([noise])),
            (names.SIGNATURE, of_files([[noise]])),
            (names.TENSOR_SIGNATURE, {names.IMAGES: PIXELS[..., :2]}),
        ):
            with pytest.raises(grpc.RpcError):
                server.predict(signature, inputs)

    def memory_after(rounds: int) -> int:
        for _ in range(rounds):
            a_round()
        return server.memory_bytes()

    before, after = memory_after(20), memory_after(200)
    assert after - before < bound, f"{before} -> {after} bytes"
    outputs = server.predict(names.SIGNATURE, of_files(PHOTOS)).outputs
    assert (outputs[names.STATUS] == decoding.GOOD).all()


def test_sigterm_ends_it(exported):
    with started(exported) as server:
        server.terminate(30)
        with pytest.raises(OSError):
            server.states()


# Versions --------------------------------------------------------------------
class Callers:
    """Threads that ask all the time, by both of our clients, until they are left.

    Attributes:
      answered: how many requests have an answer, each looked at.
      failures: what went wrong; without retries, so none is hidden.
    """

    def __init__(self, server):
        self.answered, self.failures = 0, []
        self._ended, self._lock = threading.Event(), threading.Lock()
        self._clients = [
            connection.connect(
                address,
                protocol=protocol,
                model=ServedModel(server.model),
                timeout_s=real_server.CALL_SECONDS,
                retries=False,
            )
            for protocol, address in (
                ("grpc", server.address), ("rest", server.rest_address)
            )
        ]  # fmt: skip
        self._pool = futures.ThreadPoolExecutor(CALLERS)

    def __enter__(self):
        for i in range(CALLERS):
            self._pool.submit(self._ask, self._clients[i % 2], PHOTOS[i])
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._pool.shutdown()
        for serving in self._clients:
            serving.close()

    def wait_for_more(self, count: int) -> None:
        wanted = self.answered + count
        end = time.monotonic() + real_server.CALL_SECONDS
        while self.answered < wanted and not self.failures:
            assert time.monotonic() < end, f"only {self.answered} answers"
            time.sleep(0.01)

    def _ask(self, serving, photo: bytes) -> None:
        size_wh = test_server_model.size_of(photo)
        while not self._ended.is_set():
            try:
                (answer,) = serving.localize([photo])
                assert not answer.fault and answer.size_wh == size_wh, answer
            except (ServingError, AssertionError) as error:
                with self._lock:
                    self.failures.append(error)
                return
            with self._lock:
                self.answered += 1


def test_a_new_version_takes_over_under_load_and_no_request_fails(exported, tmp_path):
    folder = copied(exported, tmp_path)
    with started(folder) as server, Callers(server) as callers:
        before = server.predict(names.SIGNATURE, of_files(PHOTOS))
        callers.wait_for_more(20)
        assert real_server.add_copy(folder / "1", folder) == folder / "2"
        server.wait_for_states({1: END, 2: AVAILABLE})
        callers.wait_for_more(20)
        after = server.predict(names.SIGNATURE, of_files(PHOTOS))
    assert callers.failures == []
    assert (before.version, after.version) == (1, 2)
    assert_same(after.outputs, before.outputs)


def write_models_config(folder, *, serve: list[int], **labels: int) -> None:
    """The exported file with these versions and labels, as an operator edits it."""
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    text = server_files.server_files(folder)[server_files.MODELS]
    whole = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    (config,) = whole.model_config_list.config
    config.model_version_policy.specific.versions.extend(serve)
    for label, version in labels.items():
        config.version_labels[label] = version
    text = text_format.MessageToString(whole)
    files.write_file(folder / server_files.MODELS, text.encode())


def versions_of(server, *labels: str) -> list[int]:
    """Which versions answer to the labels; both protocols are asked."""
    document = {"instances": [{"b64": base64.b64encode(PHOTOS[0]).decode()}]}
    found = []
    for label in labels:
        answer = server.predict(
            names.SIGNATURE, of_files(PHOTOS[:1]), version_label=label
        )
        status, by_rest = server.post(document, path=f"{server.path}/labels/{label}")
        assert status == 200, by_rest
        assert answer.outputs[names.STATUS] == by_rest["predictions"][0][names.STATUS]
        found.append(answer.version)
    return found


def test_labels_are_there_at_the_start_and_move_by_edits(exported, tmp_path):
    """In the order that the comment in models.config gives."""
    folder = copied(exported, tmp_path)
    write_models_config(folder, serve=[1], stable=1)
    with started(folder, model_config_file_poll_wait_seconds="1") as server:
        assert versions_of(server, "stable") == [1]
        real_server.add_copy(folder / "1", folder)
        for stable, serve, states in (
            (1, [1, 2], {1: AVAILABLE, 2: AVAILABLE}),
            (2, [1, 2], {1: AVAILABLE, 2: AVAILABLE}),
            (2, [2], {1: END, 2: AVAILABLE}),
        ):
            # A label that is new may name a version that is not loaded yet.
            write_models_config(folder, serve=serve, stable=stable, canary=2)
            server.wait_for_states(states)
            wanted = [stable, 2]
            server.wait_for(
                lambda wanted=wanted: versions_of(server, "stable", "canary") == wanted,
                f"labels {wanted}",
            )
