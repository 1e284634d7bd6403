"""Exported files behind the same predict_fn as the Keras model.

A runner knows a file by its signature's names only; the order of outputs is
irrelevant.
"""

import dataclasses
import json
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bas_tf import names
from bas_tf.errors import UserError, one_line

# A TFLite file's own description, in the zip archive behind the model.
DOCUMENT_FILE, DOCUMENT_FORMAT = "bas_tf.json", "bas_tf localizer 1"
# A SavedModel's: of what its boxes are made. An ONNX file has it as a property.
SETTINGS_FILE = "assets.extra/settings.json"
# What an archive that is cut off, changed or not there raises.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError)


@dataclasses.dataclass(frozen=True)
class Runner:
    """A loaded model as the judge and the command line see it.

    Attributes:
      predict_fn: as `inference.make_predict_fn` returns; "cam" only from Keras, and
        scores other than 0 for `num_scored` classes alone.
      class_names: in the order of class ids.
      input_size_wh: the only size it takes; None when it takes any.
      scores_fn: as `inference.make_scores_fn` returns, the classifier alone; None
        where it cannot be run alone, as in a file.
      scores_precision: of `scores_fn`, see `ops.precision`.
      num_scored: a file tells the scores of so many classes, the best ones; None where
        those of all are known.
      score_threshold: of its boxes; None where a file of an older version does not
        say.
    """

    predict_fn: Callable[[np.ndarray], dict[str, np.ndarray]]
    class_names: tuple[str, ...]
    input_size_wh: tuple[int, int] | None
    scores_fn: Callable[[np.ndarray], np.ndarray] | None = None
    scores_precision: str = "float32"
    num_scored: int | None = None
    score_threshold: float | None = None

    def scores(self, images: np.ndarray) -> np.ndarray:
        """Softmax [batch, classes], with as little else as the model can do.

        It is 0 for all but the `num_scored` best classes.
        """
        if self.scores_fn is None:
            return self.predict_fn(images)[names.SCORES]
        return self.scores_fn(images)


def load_saved_model(folder: str | Path) -> Runner:
    """A SavedModel folder; takes images of any size, boxes in their pixels.

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
    score_threshold = _read_settings(folder / SETTINGS_FILE).get("score_threshold")

    def predict_fn(images: np.ndarray) -> dict[str, np.ndarray]:
        outputs = serve(images=tf.constant(images, tf.uint8))
        outputs = {key: value.numpy() for key, value in outputs.items()}
        return _judged_outputs(outputs, len(class_names))

    # The signature holds only weak references: keep the loaded object alive.
    predict_fn.loaded = loaded
    return Runner(
        predict_fn, class_names, None,
        num_scored=num_scored, score_threshold=score_threshold,
    )  # fmt: skip


def _read_settings(path: Path) -> dict:
    """Nothing where the file is missing, as in a SavedModel of an older version."""
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
    """A .tflite file, run by LiteRT one image at a time.

    Class names come from the file itself; nothing beside it is read.

    Raises:
      UserError: not a localizer's TFLite file, one cut off or without its metadata,
        or, once it runs, a class that has no label.
    """
    from ai_edge_litert.interpreter import Interpreter

    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    document = read_tflite_document(path)
    class_names = tuple(document["class_names"])
    try:
        interpreter = Interpreter(model_path=str(path), num_threads=num_threads)
        run = interpreter.get_signature_runner(names.SIGNATURE)
        source = run.get_input_details()[names.IMAGES]
        _, height, width, _ = map(int, source["shape_signature"])  # -1: any
        num_scored = int(run.get_output_details()[names.SCORES]["shape"][1])
    except (ValueError, RuntimeError, KeyError) as error:
        raise _not_a_localizer(path, str(error)) from error

    def predict_fn(images: np.ndarray) -> dict[str, np.ndarray]:
        images = as_tflite_input(np.asarray(images, np.uint8), source["dtype"])
        singles = [run(**{names.IMAGES: image[np.newaxis]}) for image in images]
        outputs = {
            key: np.concatenate([single[key] for single in singles])
            for key in singles[0]
        }
        unnamed = outputs[names.CLASS_IDS].max()
        if unnamed >= len(class_names):
            raise UserError(
                f"{path}: its class {unnamed} has no label, {len(class_names)} have; "
                "export it again with export.tflite"
            )
        return _judged_outputs(outputs, len(class_names))

    predict_fn.loaded = interpreter
    size_wh = None if -1 in (width, height) else (width, height)
    return Runner(
        predict_fn, class_names, size_wh,
        num_scored=num_scored, score_threshold=document.get("score_threshold"),
    )  # fmt: skip


def load_onnx(path: str | Path, *, num_threads: int = 2) -> Runner:
    """An .onnx file of `export.onnx`, run by ONNX Runtime.

    Raises:
      UserError: ONNX Runtime is not installed, or not a localizer's ONNX file.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError(f"{path}: running it needs onnxruntime ({error})") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    try:
        session = onnxruntime.InferenceSession(str(path), options)
        properties = session.get_modelmeta().custom_metadata_map
        class_names = tuple(json.loads(properties["labels"]))
        score_threshold = json.loads(properties.get("score_threshold", "null"))
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
        return _judged_outputs(dict(zip(shapes, values, strict=True)), len(class_names))

    return Runner(
        predict_fn, class_names, (width, height),
        num_scored=num_scored, score_threshold=score_threshold,
    )  # fmt: skip


def as_tflite_input(images: np.ndarray, dtype) -> np.ndarray:
    """Pixels uint8 as a file's input has them: int8 is the pixel less 128."""
    if np.dtype(dtype) == np.int8:
        return (images.astype(np.int16) - 128).astype(np.int8)
    return images.astype(dtype)


def read_tflite_document(path: Path) -> dict:
    """The document that `export.metadata` put into a TFLite file.

    Its "class_names" are those of the labels.txt in the file.

    Raises:
      UserError: the file is cut off, not a localizer's, or without metadata.
    """
    try:
        with path.open("rb") as file:
            identifier = file.read(8)[4:]
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    if identifier != b"TFL3":
        raise _not_a_localizer(path, "it does not begin as one")
    try:
        with zipfile.ZipFile(path) as archive:
            document = json.loads(archive.read(DOCUMENT_FILE))
            labels = archive.read(names.LABELS_FILE).decode()
    except _UNREADABLE as error:
        raise _not_a_localizer(
            path, "it was cut off, or its labels and metadata were removed"
        ) from error
    except KeyError as error:
        raise _not_a_localizer(path, str(error.args[0])) from error
    except ValueError as error:
        raise _not_a_localizer(path, f"its metadata: {error}") from error
    found = document.get("format") if isinstance(document, dict) else None
    if found != DOCUMENT_FORMAT:
        raise _not_a_localizer(
            path, f"its {DOCUMENT_FILE} is of format {found!r}, not {DOCUMENT_FORMAT!r}"
        )
    if labels.removesuffix("\n").split("\n") != document.get("class_names"):
        raise _not_a_localizer(
            path, f"{names.LABELS_FILE} and {DOCUMENT_FILE} in it name other classes"
        )
    return document


def _not_a_localizer(path: Path, reason: str) -> UserError:
    return UserError(
        f"{path}: not a localizer's TFLite file ({reason}); expected one that "
        "export.tflite wrote"
    )


def read_labels(path: Path) -> tuple[str, ...]:
    """Class names, one a line; a missing file is an error, never class 0."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; the model's class names are read there")
    return tuple(path.read_text(encoding="utf-8").splitlines())


def _judged_outputs(outputs: dict, num_classes: int) -> dict[str, np.ndarray]:
    """Top classes spread to [batch, classes] (0 elsewhere); maps lose their channel."""
    scores = np.zeros([len(outputs[names.SCORES]), num_classes], np.float32)
    np.put_along_axis(
        scores, outputs[names.CLASS_IDS].astype(np.int64), outputs[names.SCORES], axis=1
    )
    return {
        names.SCORES: scores,
        names.LOCALIZATION_MAP: outputs[names.LOCALIZATION_MAP][..., 0],
        names.BOXES: outputs[names.BOXES],
        names.DEGENERATE: outputs[names.DEGENERATE].reshape(-1),
    }
