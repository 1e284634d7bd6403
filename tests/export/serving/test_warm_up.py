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


def test_its_images_have_the_size_and_differ():
    requests = warm_up.warm_up_requests(input_size_wh=(24, 16), batch_sizes=(256,))
    inputs = {name: values for _, i in requests for name, values in i.items()}
    assert inputs["images"].shape == (256, 16, 24, 3)
    assert inputs["images"].dtype == np.uint8
    assert len({image.tobytes() for image in inputs["images"]}) == 256
    assert inputs["class_ids"].dtype == np.int32 and not inputs["class_ids"].any()
    assert inputs["image_bytes"].dtype == object  # strings of NumPy lose NUL bytes
    with Image.open(io.BytesIO(inputs["image_bytes"][7])) as image:
        assert (image.format, image.size, image.mode) == ("JPEG", (24, 16), "RGB")
        error = np.asarray(image).astype(int) - inputs["images"][7]
    assert np.abs(error).mean() < 8  # the same picture but for JPEG's own loss


@needs_package
def test_the_server_reads_what_was_asked_for(tmp_path):
    import tensorflow as tf

    requests = warm_up.warm_up_requests(input_size_wh=(24, 16), batch_sizes=(1, 3))
    logs = records_of(warm_up.warm_up_file(requests, model_name="bäs"), tmp_path)
    assert len(logs) == len(requests) == 8
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


@needs_package
def test_the_same_bytes_every_time():
    def made() -> bytes:
        requests = warm_up.warm_up_requests(input_size_wh=(16, 16), batch_sizes=(1, 2))
        return warm_up.warm_up_file(requests, model_name="bas")

    assert made() == made()


@needs_package
def test_no_more_records_than_the_server_takes(tmp_path):
    request = ("s", {"x": np.zeros([1], np.int32)})
    full = warm_up.warm_up_file([request] * 1000, model_name="bas")
    assert len(records_of(full, tmp_path)) == 1000
    with pytest.raises(ValueError, match="1001 requests; the server takes 1000"):
        warm_up.warm_up_file([request] * 1001, model_name="bas")


def test_the_package_is_the_one_of_the_requirements():
    root = Path(warm_up.__file__).parents[3]
    lines = (root / "requirements-serving.txt").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [warm_up.PACKAGE]


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    with pytest.raises(UserError, match=f"^--serving_dir .*{warm_up.PACKAGE}$"):
        warm_up.warm_up_file([], model_name="bas")
