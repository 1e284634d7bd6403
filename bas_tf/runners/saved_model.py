"""Loads SavedModel folders."""

import json
from pathlib import Path

import numpy as np

from bas_tf import names
from bas_tf.errors import UserError, one_line
from bas_tf.runners.runner import Runner, evaluated_outputs, file_label_fn

# A SavedModel's box settings. An ONNX file stores them as metadata properties.
SETTINGS_FILE = "assets.extra/settings.json"


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
    class_names = _read_labels(folder / "assets" / names.LABELS_FILE)
    settings = _read_settings(folder / SETTINGS_FILE)
    serve_class = loaded.signatures.get(names.TENSOR_CLASS_SIGNATURE)

    def predict_fn(images: np.ndarray) -> dict[str, np.ndarray]:
        outputs = serve(images=tf.constant(images, tf.uint8))
        outputs = {key: value.numpy() for key, value in outputs.items()}
        return evaluated_outputs(outputs, len(class_names))

    def of_classes(images: np.ndarray, class_ids: np.ndarray) -> dict:
        outputs = serve_class(
            images=tf.constant(images, tf.uint8),
            class_ids=tf.constant(class_ids, tf.int32),
        )
        return evaluated_outputs({k: v.numpy() for k, v in outputs.items()})

    # The signature holds only weak references: keep the loaded object alive.
    predict_fn.loaded = loaded
    return Runner(
        predict_fn, class_names, None,
        num_scored=num_scored, score_threshold=settings.get("score_threshold"),
        trained_size_wh=tuple(settings.get("trained_size", ())) or None,
        label_fn=file_label_fn(
            predict_fn, of_classes if serve_class else None, settings.get("top_k", 1)
        ),
        labels_pixels=names.SEGMENTATION in serve.structured_outputs,
    )  # fmt: skip


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


def _read_labels(path: Path) -> tuple[str, ...]:
    """Class names, one per line; a missing file is an error, never class 0."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; the model's class names are read there")
    return tuple(path.read_text(encoding="utf-8").splitlines())
