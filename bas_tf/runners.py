"""Exported files with the same predict_fn as the Keras model.

A runner addresses a file by the names in its signature only; the order of outputs does
not matter.
"""

import dataclasses
import functools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bas_tf import names
from bas_tf.errors import UserError, import_extra, one_line
from bas_tf.tflite_document import not_a_localizer, read_tflite_document

# A SavedModel's box settings. An ONNX file stores them as metadata properties.
SETTINGS_FILE = "assets.extra/settings.json"


@dataclasses.dataclass(frozen=True)
class Runner:
    """A loaded model as the evaluator and the command line see it.

    Attributes:
      predict_fn: as returned by `inference.make_predict_fn`; "cam" only from Keras, and
        scores other than 0 only for `num_scored` classes. A file that draws the map of
        a given class raises UserError.
      class_names: in the order of class ids.
      input_size_wh: the only size it takes; None when it takes any.
      trained_size_wh: what it was trained at, where it takes any size and says so.
      scores_fn: as `inference.make_scores_fn` returns, the classifier alone; None
        where it cannot be run alone, as in a file.
      scores_precision: of `scores_fn`, see `ops.precision`.
      num_scored: how many classes, the best ones, a file returns scores of; None for
        all.
      score_threshold: of its boxes; None for a file of an older version that does not
        record it.
      label_fn: as returned by `inference.make_label_fn`, "label_cam" only from Keras;
        for a file that draws the map of a given class, only that. None if no class can
        be given, unless top-k maps are averaged, where the label is not used.
      views: what its maps are averaged over, see `refinement.views`; "" for one view.
    """

    predict_fn: Callable[[np.ndarray], dict[str, np.ndarray]]
    class_names: tuple[str, ...]
    input_size_wh: tuple[int, int] | None
    scores_fn: Callable[[np.ndarray], np.ndarray] | None = None
    scores_precision: str = "float32"
    num_scored: int | None = None
    score_threshold: float | None = None
    label_fn: Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]] | None = None
    trained_size_wh: tuple[int, int] | None = None
    views: str = ""

    def scores(self, images: np.ndarray) -> np.ndarray:
        """Softmax [batch, classes], computing as little else as possible.

        It is 0 for all but the `num_scored` best classes.
        """
        if self.scores_fn is None:
            return self.predict_fn(images)[names.SCORES]
        return self.scores_fn(images)


def load_saved_model(folder: str | Path) -> Runner:
    """Loads a SavedModel folder; takes images of any size, boxes in their pixels.

    Raises:
      UserError: no SavedModel, or one without the signature or the labels.
    """
    import tensorflow as tf

    folder = Path(folder)
    try:
        loaded = tf.saved_model.load(str(folder))
        serve = loaded.signatures[names.TENSOR_SIGNATURE]
        num_scored = serve.structured_outputs[names.SCORES].shape[1]
    except (OSError, KeyError) as error:
        raise UserError(
            f"{folder}: not a SavedModel with signature {names.TENSOR_SIGNATURE!r}; "
            "export it again with export.saved_model"
        ) from error
    class_names = read_labels(folder / "assets" / names.LABELS_FILE)
    settings = _read_settings(folder / SETTINGS_FILE)
    serve_class = loaded.signatures.get(names.TENSOR_CLASS_SIGNATURE)

    def predict_fn(images: np.ndarray) -> dict[str, np.ndarray]:
        outputs = serve(images=tf.constant(images, tf.uint8))
        outputs = {key: value.numpy() for key, value in outputs.items()}
        return _evaluated_outputs(outputs, len(class_names))

    def of_classes(images: np.ndarray, class_ids: np.ndarray) -> dict:
        outputs = serve_class(
            images=tf.constant(images, tf.uint8),
            class_ids=tf.constant(class_ids, tf.int32),
        )
        return _evaluated_outputs({k: v.numpy() for k, v in outputs.items()})

    # The signature holds only weak references: keep the loaded object alive.
    predict_fn.loaded = loaded
    return Runner(
        predict_fn, class_names, None,
        num_scored=num_scored, score_threshold=settings.get("score_threshold"),
        trained_size_wh=tuple(settings.get("trained_size", ())) or None,
        label_fn=_label_fn(
            predict_fn, of_classes if serve_class else None, settings.get("top_k", 1)
        ),
    )  # fmt: skip


def _label_fn(predict_fn, of_classes, top_k: int):
    """A file's `Runner.label_fn`, from its top-k and its given-class function."""
    if top_k > 1:

        def label_fn(images, labels):
            predicted = predict_fn(images)
            return {**predicted, **names.of_label(predicted)}

        return label_fn
    if of_classes is None:
        return None
    return lambda images, labels: {
        **predict_fn(images),
        **names.of_label(of_classes(images, labels)),
    }


def _read_settings(path: Path) -> dict:
    """Empty if the file is missing, as in a SavedModel of an older version."""
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: not readable as JSON ({one_line(error)}); export it again with "
            "export.saved_model"
        ) from error
    return settings if isinstance(settings, dict) else {}


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
        return _evaluated_outputs(outputs, len(class_names))

    def of_classes(images: np.ndarray, class_ids: np.ndarray) -> dict:
        return names.of_label(_evaluated_outputs(run_all(images, class_ids)))

    top_k = document.get("top_k", 1)
    label_fn = _label_fn(predict_fn, None, top_k)
    if takes_class:
        # A mean of the top-k maps is what is evaluated then, and it has none.
        label_fn = of_classes if top_k == 1 else None
    size_wh = None if -1 in (width, height) else (width, height)
    return Runner(
        predict_fn, class_names, size_wh,
        num_scored=num_scored, score_threshold=document.get("score_threshold"),
        label_fn=label_fn,
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
        return _evaluated_outputs(
            dict(zip(shapes, values, strict=True)), len(class_names)
        )

    return Runner(
        predict_fn, class_names, (width, height),
        num_scored=num_scored, score_threshold=score_threshold,
        label_fn=_label_fn(predict_fn, None, top_k),
    )  # fmt: skip


def as_tflite_input(images: np.ndarray, dtype) -> np.ndarray:
    """uint8 pixels in a file's input type; int8 is the pixel minus 128."""
    if np.dtype(dtype) == np.int8:
        return (images.astype(np.int16) - 128).astype(np.int8)
    return images.astype(dtype)


def read_labels(path: Path) -> tuple[str, ...]:
    """Class names, one per line; a missing file is an error, never class 0."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; the model's class names are read there")
    return tuple(path.read_text(encoding="utf-8").splitlines())


def _evaluated_outputs(outputs: dict, num_classes: int = 0) -> dict[str, np.ndarray]:
    """Scatters top classes to [batch, classes] (0 elsewhere); drops maps' channel axis.

    Without `num_classes` the scores are empty.
    """
    scores = np.zeros([len(outputs[names.BOXES]), num_classes], np.float32)
    if num_classes:
        class_ids = outputs[names.CLASS_IDS].astype(np.int64)
        np.put_along_axis(scores, class_ids, outputs[names.SCORES], axis=1)
    return {
        names.SCORES: scores,
        names.LOCALIZATION_MAP: outputs[names.LOCALIZATION_MAP][..., 0],
        names.BOXES: outputs[names.BOXES],
        names.DEGENERATE: outputs[names.DEGENERATE].reshape(-1),
    }
