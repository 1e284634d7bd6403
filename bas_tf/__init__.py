"""bas_tf: object localization learnt from image-level labels alone.

import bas_tf

model = bas_tf.train("photos", workdir="runs/photos")
found = model.localize("photos/cat/0.jpg")
found.label, found.score, found.box
model.export("exported", formats=["tflite_int8", "onnx"])
"""

import importlib

__version__ = "0.1.0"

_PUBLIC = {
    "train": "bas_tf.api.training",
    "load": "bas_tf.api.model",
    "from_preset": "bas_tf.api.model",
    "Model": "bas_tf.api.model",
    "Localization": "bas_tf.api.answers",
    "FoundClass": "bas_tf.api.answers",
    "Evaluation": "bas_tf.api.answers",
    "Localizer": "bas_tf.models.localizer",
    "build_localizer": "bas_tf.models.localizer",
    "make_predict_fn": "bas_tf.inference",
    "evaluate_bas": "bas_tf.evaluators.bas_protocol",
}
__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str):
    """Loads a public name on first use, so that `import bas_tf` is instant."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'bas_tf' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
