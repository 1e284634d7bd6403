"""Loads TFLite files, which LiteRT runs."""

import functools
from pathlib import Path

import numpy as np

from bas_tf import names
from bas_tf.errors import UserError
from bas_tf.runners.runner import Runner, evaluated_outputs, file_label_fn
from bas_tf.runners.tflite_document import not_a_localizer, read_tflite_document


def load_tflite(path: str | Path, *, num_threads: int = 2) -> Runner:
    """Loads a .tflite file, run by LiteRT one image at a time.

    Class names come from the file itself; no other file is read.

    Raises:
      UserError: not a localizer's TFLite file, truncated, without its metadata, or,
        when run, a class that has no label.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    document = read_tflite_document(path)
    class_names = tuple(document["class_names"])
    run, takes_class, num_scored = _tflite_signature(path, num_threads)
    source = run.get_input_details()[names.IMAGES]
    _, height, width, _ = map(int, source["shape_signature"])  # -1: any
    run_all = functools.partial(_run_one_by_one, run, source["dtype"])

    def predict_fn(images: np.ndarray) -> dict[str, np.ndarray]:
        if takes_class:
            raise UserError(
                f"{path}: draws the map of a class that it is given and names none "
                "itself; use a localizer_* file, or evaluate it with "
                "--config.eval.map_class=label"
            )
        outputs = run_all(images)
        unnamed = outputs[names.CLASS_IDS].max()
        if unnamed >= len(class_names):
            raise UserError(
                f"{path}: its class {unnamed} has no label, {len(class_names)} have; "
                "export it again with export.tflite"
            )
        return evaluated_outputs(outputs, len(class_names))

    def of_classes(images: np.ndarray, class_ids: np.ndarray) -> dict:
        return names.of_label(evaluated_outputs(run_all(images, class_ids)))

    top_k = document.get("top_k", 1)
    label_fn = file_label_fn(predict_fn, None, top_k)
    if takes_class:
        # A mean of the top-k maps is what is evaluated then, and it has none.
        label_fn = of_classes if top_k == 1 else None
    size_wh = None if -1 in (width, height) else (width, height)
    return Runner(
        predict_fn, class_names, size_wh,
        num_scored=num_scored, score_threshold=document.get("score_threshold"),
        label_fn=label_fn, refine=document.get("refine", "none"),
        labels_pixels=names.SEGMENTATION in run.get_output_details(),
    )  # fmt: skip


def _tflite_signature(path: Path, num_threads: int):
    """A file's signature runner, whether it takes a class, how many it scores."""
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_path=str(path), num_threads=num_threads)
        run = interpreter.get_signature_runner(names.SIGNATURE)
        inputs, outputs = run.get_input_details(), run.get_output_details()
        takes_class = names.CLASS_IDS in inputs
        if names.IMAGES not in inputs:
            raise KeyError(names.IMAGES)
        num_scored = 0 if takes_class else int(outputs[names.SCORES]["shape"][1])
    except (ValueError, RuntimeError, KeyError) as error:
        raise not_a_localizer(path, str(error)) from error
    return run, takes_class, num_scored


def _run_one_by_one(
    run, dtype, images: np.ndarray, class_ids: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """A TFLite signature's outputs for each image, of its class where one is given."""
    images = as_tflite_input(np.asarray(images, np.uint8), dtype)
    given = [{}] * len(images)
    if class_ids is not None:
        given = [{names.CLASS_IDS: np.int32([class_id])} for class_id in class_ids]
    singles = [
        run(**{names.IMAGES: image[np.newaxis]}, **of_class)
        for image, of_class in zip(images, given, strict=True)
    ]
    return {
        key: np.concatenate([single[key] for single in singles]) for key in singles[0]
    }


def as_tflite_input(images: np.ndarray, dtype) -> np.ndarray:
    """uint8 pixels in a file's input type; int8 is the pixel minus 128."""
    if np.dtype(dtype) == np.int8:
        return (images.astype(np.int16) - 128).astype(np.int8)
    return images.astype(dtype)
