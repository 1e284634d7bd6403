"""Exported files behind the same predict_fn as the Keras model.

A runner knows a file by its signature's names only; the order of outputs is
irrelevant.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bas_tf import names
from bas_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class Runner:
    """A loaded model as the judge and the command line see it.

    Attributes:
      predict_fn: as `inference.make_predict_fn` returns; "cam" only from Keras.
      class_names: in the order of class ids.
      input_size_wh: the only size it takes; None when it takes any.
      scores_fn: as `inference.make_scores_fn` returns, the classifier alone; None
        where it cannot be run alone, as in a file.
    """

    predict_fn: Callable[[np.ndarray], dict[str, np.ndarray]]
    class_names: tuple[str, ...]
    input_size_wh: tuple[int, int] | None
    scores_fn: Callable[[np.ndarray], np.ndarray] | None = None

    def scores(self, images: np.ndarray) -> np.ndarray:
        """Softmax [batch, classes], with as little else as the model can do."""
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
        serve = loaded.signatures[names.SIGNATURE]
    except (OSError, KeyError) as error:
        raise UserError(
            f"{folder}: not a SavedModel with signature {names.SIGNATURE!r}"
        ) from error
    class_names = read_labels(folder / "assets" / names.LABELS_FILE)

    def predict_fn(images: np.ndarray) -> dict[str, np.ndarray]:
        outputs = serve(images=tf.constant(images, tf.uint8))
        outputs = {key: value.numpy() for key, value in outputs.items()}
        return _judged_outputs(outputs, len(class_names))

    # The signature holds only weak references: keep the loaded object alive.
    predict_fn.loaded = loaded
    return Runner(predict_fn, class_names, None)


def load_tflite(path: str | Path, *, num_threads: int = 2) -> Runner:
    """A .tflite file, run by LiteRT one image at a time.

    Raises:
      UserError: not a TFLite file, one without the signature, or no labels beside it.
    """
    from ai_edge_litert.interpreter import Interpreter

    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    class_names = read_labels(path.with_name(names.LABELS_FILE))
    try:
        interpreter = Interpreter(model_path=str(path), num_threads=num_threads)
        run = interpreter.get_signature_runner(names.SIGNATURE)
        _, height, width, _ = run.get_input_details()[names.IMAGES]["shape"]
    except (ValueError, RuntimeError, KeyError) as error:
        raise UserError(f"{path}: not a localizer's TFLite file ({error})") from error

    def predict_fn(images: np.ndarray) -> dict[str, np.ndarray]:
        images = np.asarray(images, np.uint8)
        singles = [run(**{names.IMAGES: image[np.newaxis]}) for image in images]
        outputs = {
            key: np.concatenate([single[key] for single in singles])
            for key in singles[0]
        }
        return _judged_outputs(outputs, len(class_names))

    predict_fn.loaded = interpreter
    return Runner(predict_fn, class_names, (int(width), int(height)))


def read_labels(path: Path) -> tuple[str, ...]:
    """Class names, one a line; a missing file is an error, never class 0."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; the model's class names are read there")
    return tuple(path.read_text().splitlines())


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
