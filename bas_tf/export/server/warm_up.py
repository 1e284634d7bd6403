"""Requests that TensorFlow Serving answers by itself before a version goes live.

The first requests of each signature and batch size are slow; those here take the wait.
"""

import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from bas_tf import names
from bas_tf.errors import UserError
from bas_tf.export.client.requests_grpc import PACKAGE

FILE = "assets.extra/tf_serving_warmup_requests"  # inside a version's folder
ENCODED_SIGNATURES = (names.SIGNATURE, names.CLASS_SIGNATURE, names.HEATMAP_SIGNATURE)

Request = tuple[str, dict[str, np.ndarray]]


def warm_up_requests(
    *, input_size_wh: tuple[int, int], batch_sizes: Sequence[int]
) -> list[Request]:
    """A request of each signature for each batch size: black images.

    Returns:
      (signature, {input: array [batch, ...]}): IMAGE_BYTES as an object array of JPEG
      files, IMAGES uint8, CLASS_IDS int32.
    """
    requests: list[Request] = []
    width, height = input_size_wh
    file = io.BytesIO()
    Image.new("RGB", input_size_wh).save(file, "JPEG")
    for count in batch_sizes:
        pixels = np.zeros([count, height, width, 3], np.uint8)
        files = np.array([file.getvalue()] * count, object)  # keeps NUL bytes
        for signature in ENCODED_SIGNATURES:
            inputs = {names.IMAGE_BYTES: files}
            if signature == names.CLASS_SIGNATURE:
                inputs[names.CLASS_IDS] = np.zeros([count], np.int32)
            requests.append((signature, inputs))
        requests.append((names.TENSOR_SIGNATURE, {names.IMAGES: pixels}))
    return requests


def warm_up_file(
    requests: Sequence[tuple[str, Mapping[str, np.ndarray]]], *, model_name: str
) -> bytes:
    """The content of FILE: TFRecords of PredictionLog, the same bytes every time.

    Args:
      requests: as of `warm_up_requests`.
      model_name: what the server calls the model.

    Raises:
      UserError: tensorflow-serving-api is not installed.
    """
    try:
        import tensorflow as tf
        from tensorflow_serving.apis import prediction_log_pb2
    except ImportError as error:
        raise UserError(
            "--serving_dir needs tensorflow-serving-api to write the warm-up: "
            f"pip install --no-deps {PACKAGE}"
        ) from error

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requests"  # the writer knows files alone
        with tf.io.TFRecordWriter(str(path)) as writer:
            for signature, inputs in requests:
                log = prediction_log_pb2.PredictionLog()
                request = log.predict_log.request
                request.model_spec.name = model_name
                request.model_spec.signature_name = signature
                for name, values in inputs.items():
                    request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
                writer.write(log.SerializeToString(deterministic=True))
        return path.read_bytes()
