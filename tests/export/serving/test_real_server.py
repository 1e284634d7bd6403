"""What a real TensorFlow Serving answers, asked in every way; see `real_server`."""

import base64

import numpy as np
import pytest

from bas_tf import names
from bas_tf.export.artifacts import decoding
from bas_tf.export.client import connection
from bas_tf.export.client.served import ServedModel
from tests.export import test_server_model
from tests.export.serving import real_server
from tests.export.serving.peers import needs_grpc
from tests.export.serving.real_server import assert_same
from tests.export.test_server_model import strings

pytestmark = [pytest.mark.slow, real_server.needs_server, needs_grpc]

PHOTOS = test_server_model.photos(7)  # JPEG and PNG of seven sizes
PIXELS = np.random.default_rng(0).integers(0, 256, [2, 20, 30, 3], np.uint8)
FILES = {names.IMAGE_BYTES: strings(PHOTOS)}
REQUESTS = {
    names.SIGNATURE: FILES,
    names.HEATMAP_SIGNATURE: FILES,
    names.CLASS_SIGNATURE: FILES | {names.CLASS_IDS: np.arange(7, dtype=np.int32) % 2},
    names.TENSOR_SIGNATURE: {names.IMAGES: PIXELS},
}
OF_EVERY_IMAGE = {
    names.CLASS_IDS, names.CLASS_NAMES, names.SCORES, names.BOXES, names.DEGENERATE,
    names.CONFIDENCE, names.IMAGE_SIZE,
}  # fmt: skip
OUTPUTS = {
    names.SIGNATURE: OF_EVERY_IMAGE | {names.STATUS},
    names.CLASS_SIGNATURE: OF_EVERY_IMAGE | {names.STATUS},
    names.HEATMAP_SIGNATURE: OF_EVERY_IMAGE
    | {names.STATUS, names.LOCALIZATION_MAP, names.HEATMAP_BYTES},
    names.TENSOR_SIGNATURE: OF_EVERY_IMAGE | {names.LOCALIZATION_MAP},
}
NO_NUMBER = 2**62  # a version that nobody has, and an int64


@pytest.fixture(scope="module")
def answers(server) -> dict[str, dict[str, np.ndarray]]:
    """{signature: outputs} over gRPC."""
    return {
        signature: server.predict(signature, inputs).outputs
        for signature, inputs in REQUESTS.items()
    }


def as_json(values):
    """What REST takes: nested lists, bytes as {"b64": ...}."""
    if isinstance(values, bytes):
        return {"b64": base64.b64encode(values).decode()}
    if isinstance(values, np.ndarray):
        return [as_json(value) for value in values]
    return values.item()


def columns(inputs: dict) -> dict:
    return {key: as_json(values) for key, values in inputs.items()}


def rows(inputs: dict) -> list[dict]:
    count = len(next(iter(inputs.values())))
    keys_and_columns = columns(inputs).items()
    return [{key: c[i] for key, c in keys_and_columns} for i in range(count)]


def from_json(key: str, column: list) -> np.ndarray:
    """An output as gRPC gives it; checks how REST writes its strings."""
    if key == names.HEATMAP_BYTES:
        assert all(list(value) == ["b64"] for value in column)
        return strings([base64.b64decode(value["b64"]) for value in column])
    if key == names.CLASS_NAMES:
        return strings([[name.encode() for name in row] for row in column])
    return np.array(column)


def asked_by_columns(server, signature, inputs, **where) -> dict[str, np.ndarray]:
    document = {"signature_name": signature, "inputs": columns(inputs)}
    status, answer = server.post(document, **where)
    assert status == 200, answer
    assert list(answer) == ["outputs"]
    return {key: from_json(key, column) for key, column in answer["outputs"].items()}


def asked_by_rows(server, signature, instances) -> dict[str, np.ndarray]:
    status, answer = server.post({"signature_name": signature, "instances": instances})
    assert status == 200, answer
    assert list(answer) == ["predictions"]
    found = answer["predictions"]
    assert len(found) == len(instances)
    return {key: from_json(key, [row[key] for row in found]) for key in found[0]}


def refusal(server, signature, inputs, **model_spec) -> str:
    """The code with which gRPC refuses."""
    import grpc

    with pytest.raises(grpc.RpcError) as raised:
        server.predict(signature, inputs, **model_spec)
    return raised.value.code().name


# Every way of asking ---------------------------------------------------------
@pytest.mark.parametrize("signature", REQUESTS)
def test_columns_rows_and_grpc_answer_the_same(server, answers, signature):
    inputs, expected = REQUESTS[signature], answers[signature]
    assert set(expected) == OUTPUTS[signature]
    by_columns = asked_by_columns(server, signature, inputs)
    assert_same(by_columns, expected)
    by_rows = asked_by_rows(server, signature, rows(inputs))
    assert_same(by_rows, expected)


def test_the_only_input_needs_no_name_nor_the_default_signature(server, answers):
    content = as_json(FILES[names.IMAGE_BYTES])
    for document in ({"instances": content}, {"inputs": content}):
        status, answer = server.post(document)
        assert status == 200, answer
    outputs = {key: from_json(key, c) for key, c in answer["outputs"].items()}
    assert_same(outputs, answers[names.SIGNATURE])


@pytest.mark.parametrize("protocol", connection.PROTOCOLS)
def test_our_client_answers_the_same(server, answers, protocol):
    address = server.address if protocol == "grpc" else server.rest_address
    class_ids = REQUESTS[names.CLASS_SIGNATURE][names.CLASS_IDS].tolist()
    with connection.connect(
        address, protocol=protocol, model=ServedModel(server.model)
    ) as serving:
        found = serving.localize(PHOTOS)
        of_class = serving.localize_class(PHOTOS, class_ids)
    assert [row.class_ids for row in of_class] == [(i,) for i in class_ids]
    columns_of = {
        names.BOXES: "box",
        names.DEGENERATE: "degenerate",
        names.IMAGE_SIZE: "size_wh",
    }
    of_classes = {names.CLASS_IDS: "class_ids", names.SCORES: "scores"}
    for rows_found, signature, attributes in (
        (found, names.SIGNATURE, {**columns_of, **of_classes}),
        (of_class, names.CLASS_SIGNATURE, columns_of),
    ):
        assert not any(row.fault for row in rows_found)
        outputs = {
            key: np.array([getattr(row, attribute) for row in rows_found])
            for key, attribute in attributes.items()
        }
        expected = {key: answers[signature][key] for key in outputs}
        assert_same(outputs, expected)
    class_names = answers[names.SIGNATURE][names.CLASS_NAMES]
    assert [list(row.class_names) for row in found] == [
        [name.decode() for name in row] for row in class_names
    ]


# Images and requests that are wrong ------------------------------------------
def test_an_unreadable_image_among_eight(server, answers):
    inputs = {names.IMAGE_BYTES: strings([*PHOTOS[:3], b"no image", *PHOTOS[3:]])}
    signature = names.HEATMAP_SIGNATURE
    for outputs in (
        server.predict(signature, inputs).outputs,
        asked_by_columns(server, signature, inputs),
        asked_by_rows(server, signature, rows(inputs)),
    ):
        row = {key: values[3] for key, values in outputs.items()}
        assert row[names.STATUS] == decoding.UNREADABLE and row[names.DEGENERATE]
        assert (row[names.CLASS_IDS] == -1).all() and not row[names.SCORES].any()
        assert not any(row[names.CLASS_NAMES]) and not row[names.BOXES].any()
        assert row[names.IMAGE_SIZE].tolist() == [0, 0]
        assert row[names.HEATMAP_BYTES] == b"" and not row[names.LOCALIZATION_MAP].any()
        others = {key: np.delete(values, 3, axis=0) for key, values in outputs.items()}
        assert_same(others, answers[signature])


def test_a_class_that_the_model_does_not_have(server, answers):
    inputs = {
        names.IMAGE_BYTES: strings(PHOTOS[:3]),
        names.CLASS_IDS: np.array([0, 2**31 - 1, -1], np.int32),
    }
    unknown = decoding.UNKNOWN_CLASS
    outputs = server.predict(names.CLASS_SIGNATURE, inputs).outputs
    assert outputs[names.STATUS].tolist() == [decoding.GOOD, unknown, unknown]
    outputs = asked_by_rows(server, names.CLASS_SIGNATURE, rows(inputs))
    assert outputs[names.STATUS].tolist() == [decoding.GOOD, unknown, unknown]
    assert (outputs[names.CLASS_IDS][1:] == -1).all()
    assert not outputs[names.BOXES][1:].any()


IMAGE = as_json(PHOTOS[0])
EXPECTED_SHAPE = "expected shape [?,?,?,3]"


def of_pixels(**document) -> dict:
    return {"signature_name": names.TENSOR_SIGNATURE, **document}


WRONG = {  # a document, and what its 400 says
    "no instances": ({"instances": []}, "No values in 'instances' array"),
    "both keys": ({"instances": [IMAGE], "inputs": [IMAGE]}, "only one of"),
    "neither key": ({"signature_name": names.SIGNATURE}, "Missing 'inputs' or"),
    "no json": (b"{not json", "JSON Parse error"),
    "no such signature": (
        {"signature_name": "zzz", "inputs": [IMAGE]}, '"zzz" not found in signature'
    ),
    "no base64": ({"instances": [{"b64": "!!!"}]}, "base64"),
    "no such input": ({"instances": [{"zzz": IMAGE}]}, "named input: zzz"),
    "input is missing": ({"inputs": {"zzz": [IMAGE]}}, names.IMAGE_BYTES),
    "class is missing": (
        {
            "signature_name": names.CLASS_SIGNATURE,
            "inputs": {names.IMAGE_BYTES: [IMAGE]},
        },
        names.CLASS_IDS,
    ),
    "a matrix of images": ({"inputs": {names.IMAGE_BYTES: [[IMAGE]]}}, ""),
    "an image without a batch": ({"inputs": {names.IMAGE_BYTES: IMAGE}}, ""),
    "two channels": (of_pixels(instances=PIXELS[..., :2].tolist()), EXPECTED_SHAPE),
    "pixels without a batch": (of_pixels(inputs=PIXELS[0].tolist()), EXPECTED_SHAPE),
    "half a pixel": (of_pixels(inputs=[[[[1.5, 0, 0]]]]), "1.5"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_rest_refuses_what_makes_no_sense(server, name):
    document, told = WRONG[name]
    status, answer = server.post(document)
    assert status == 400, answer
    assert list(answer) == ["error"]
    assert told in answer["error"]


def test_grpc_refuses_what_makes_no_sense(server):
    pixels = names.TENSOR_SIGNATURE
    assert refusal(server, "zzz", FILES) == "FAILED_PRECONDITION"
    for signature, inputs in [
        (pixels, {names.IMAGES: PIXELS[..., :2]}),
        (pixels, {names.IMAGES: PIXELS[0]}),
        (pixels, {names.IMAGES: PIXELS[:, :0]}),
        (pixels, {names.IMAGES: PIXELS.astype(np.float32)}),
        (names.SIGNATURE, {names.IMAGES: PIXELS}),
        (names.SIGNATURE, {names.IMAGE_BYTES: strings([[PHOTOS[0]]])}),
        (names.SIGNATURE, {}),
        (names.CLASS_SIGNATURE, FILES),
        (names.CLASS_SIGNATURE, FILES | {names.CLASS_IDS: np.zeros([1], np.int32)}),
    ]:
        code = refusal(server, signature, inputs)
        assert code == "INVALID_ARGUMENT", (signature, inputs)


# Versions --------------------------------------------------------------------
def test_a_version_by_its_number(server, answers):
    found = server.predict(names.SIGNATURE, FILES, version=1)
    assert found.version == 1
    path = f"{server.path}/versions/1"
    by_rest = asked_by_columns(server, names.SIGNATURE, FILES, path=path)
    for outputs in (found.outputs, by_rest):
        assert_same(outputs, answers[names.SIGNATURE])


@pytest.mark.parametrize(
    "spec, code, path, status",
    [
        ({"name": "no_such_model"}, "NOT_FOUND", "/v1/models/no_such_model", 404),
        ({"name": ""}, "INVALID_ARGUMENT", None, None),
        ({"version": NO_NUMBER}, "NOT_FOUND", f"/versions/{NO_NUMBER}", 404),
        (
            {"version_label": "no_such_label"},
            "INVALID_ARGUMENT",
            "/labels/no_such_label",
            400,
        ),
    ],
    ids=["model", "no name", "version", "label"],
)
def test_what_is_not_there(server, spec, code, path, status):
    assert refusal(server, names.SIGNATURE, FILES, **spec) == code
    if path:
        if not path.startswith("/v1/"):
            path = server.path + path
        assert server.post({"inputs": [IMAGE]}, path=path)[0] == status
