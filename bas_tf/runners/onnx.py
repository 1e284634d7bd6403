"""Loads ONNX files, which ONNX Runtime runs."""

import json
from pathlib import Path

import numpy as np

from bas_tf import names
from bas_tf.errors import UserError, import_extra, one_line
from bas_tf.runners.runner import Runner, evaluated_outputs, file_label_fn


def load_onnx(path: str | Path, *, num_threads: int = 2) -> Runner:
    """Loads an .onnx file of `export.onnx`, run by ONNX Runtime.

    Raises:
      UserError: ONNX Runtime is not installed, or not a localizer's ONNX file.
    """
    onnxruntime = import_extra("onnxruntime", "export")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    try:
        session = onnxruntime.InferenceSession(str(path), options)
        properties = session.get_modelmeta().custom_metadata_map
        class_names = tuple(json.loads(properties["labels"]))
        score_threshold = json.loads(properties.get("score_threshold", "null"))
        top_k = json.loads(properties.get("top_k", "1"))
        (source,) = session.get_inputs()
        _, height, width, _ = source.shape
        shapes = {output.name: output.shape for output in session.get_outputs()}
        num_scored = shapes[names.SCORES][1]
    except Exception as error:  # onnxruntime's own errors share no class
        raise UserError(
            f"{path}: not a localizer's ONNX file ({one_line(error)[:200]}); expected "
            "one that export.onnx wrote"
        ) from error

    def predict_fn(images: np.ndarray) -> dict[str, np.ndarray]:
        values = session.run(list(shapes), {source.name: np.asarray(images, np.uint8)})
        return evaluated_outputs(
            dict(zip(shapes, values, strict=True)), len(class_names)
        )

    return Runner(
        predict_fn, class_names, (width, height),
        num_scored=num_scored, score_threshold=score_threshold,
        label_fn=file_label_fn(predict_fn, None, top_k),
        labels_pixels=names.SEGMENTATION in shapes,
    )  # fmt: skip
