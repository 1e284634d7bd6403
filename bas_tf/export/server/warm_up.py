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
MAX_RECORDS = 1000  # of a file; with more, the server does not load the version
ENCODED_SIGNATURES = (
    names.SIGNATURE,
    names.CLASS_SIGNATURE,
    names.HEATMAP_SIGNATURE,
)

Request = tuple[str, dict[str, np.ndarray]]


def warm_up_requests(
    *, input_size_wh: tuple[int, int], batch_sizes: Sequence[int]
) -> list[Request]:
    """A request of each signature for each batch size, the same ones every time.

    Returns:
      (signature, {input: array [batch, ...]}): IMAGE_BYTES as an object array of JPEG
      files, IMAGES uint8, CLASS_IDS int32.
    """
    requests: list[Request] = []
    for count in batch_sizes:
        pixels = _drawn_pixels(count, input_size_wh)
        files = np.empty([count], object)  # NumPy's own strings lose NUL bytes
        files[:] = [_jpeg(image) for image in pixels]
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
      requests: as of `warm_up_requests`, at most MAX_RECORDS.
      model_name: what the server calls the model.

    Raises:
      UserError: tensorflow-serving-api is not installed.
    """
    if len(requests) > MAX_RECORDS:
        raise ValueError(f"{len(requests)} requests; the server takes {MAX_RECORDS}")
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


def _drawn_pixels(count: int, size_wh: tuple[int, int]) -> np.ndarray:
    """Colour gradients, uint8 [count, height, width, 3]; 256 are all different."""
    width, height = size_wh
    rows = np.linspace(0, 255, height, dtype=np.uint8)
    columns = np.linspace(0, 255, width, dtype=np.uint8)
    pixels = np.empty([count, height, width, 3], np.uint8)
    pixels[..., 0] = rows[:, np.newaxis]
    pixels[..., 1] = columns
    pixels[..., 2] = np.arange(count)[:, np.newaxis, np.newaxis] * 37 % 256
    return pixels


def _jpeg(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()
