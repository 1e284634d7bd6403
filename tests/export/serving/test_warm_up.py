"""The warm-up: what the server would read from it, by the real classes."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bas_tf.errors import UserError
from bas_tf.export.server import warm_up

ALL = ["serving_default", "localize_class", "heatmap", "serving_tensor"]
needs_package = pytest.mark.usefixtures("package")


@pytest.fixture(scope="module")
def package():
    pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")


def records_of(content, folder):
    """What TensorFlow reads from the file, its checksums verified."""
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    path = folder / "requests"
    path.write_bytes(content)
    return [
        prediction_log_pb2.PredictionLog.FromString(record.numpy())
        for record in tf.data.TFRecordDataset([str(path)])
    ]


def test_every_signature_for_every_batch_size():
    requests = warm_up.warm_up_requests(input_size_wh=(24, 16), batch_sizes=(1, 2, 5))
    assert [signature for signature, _ in requests] == ALL * 3
    for number, (signature, inputs) in enumerate(requests):
        assert {len(values) for values in inputs.values()} == {(1, 2, 5)[number // 4]}
        expected = {
            "serving_tensor": {"images"},
            "localize_class": {"image_bytes", "class_ids"},
        }.get(signature, {"image_bytes"})
        assert set(inputs) == expected


@needs_package
def test_the_server_reads_what_was_asked_for(tmp_path):
    import tensorflow as tf

    requests = warm_up.warm_up_requests(input_size_wh=(24, 16), batch_sizes=(1, 3))
    logs = records_of(warm_up.warm_up_file(requests, model_name="bäs"), tmp_path)
    assert len(logs) == len(requests) == 8
    shapes = {name: values.shape for _, i in requests for name, values in i.items()}
    assert shapes["images"] == (3, 16, 24, 3)
    with Image.open(io.BytesIO(requests[0][1]["image_bytes"][0])) as image:
        assert (image.format, image.size, image.mode) == ("JPEG", (24, 16), "RGB")
    for log, (signature, inputs) in zip(logs, requests, strict=True):
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        assert request.model_spec.name == "bäs"
        assert request.model_spec.signature_name == signature
        assert set(request.inputs) == set(inputs)
        for name, values in inputs.items():
            read = tf.make_ndarray(request.inputs[name])
            np.testing.assert_array_equal(read, values)
            kind = {"image_bytes": tf.string, "images": tf.uint8}.get(name, tf.int32)
            assert request.inputs[name].dtype == kind.as_datatype_enum


@needs_package
def test_bytes_that_end_with_nul_are_kept(tmp_path):
    files = np.array([b"a\0\0", b""], object)
    content = warm_up.warm_up_file([("s", {"x": files})], model_name="bas")
    (log,) = records_of(content, tmp_path)
    assert list(log.predict_log.request.inputs["x"].string_val) == [b"a\0\0", b""]


def test_the_package_is_the_one_of_the_requirements():
    root = Path(warm_up.__file__).parents[3]
    lines = (root / "requirements-serving.txt").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [warm_up.PACKAGE]


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    with pytest.raises(UserError, match=f"^--serving_dir .*{warm_up.PACKAGE}$"):
        warm_up.warm_up_file([], model_name="bas")
