"""bas_tf: weakly supervised object localization, trained on image labels only."""

import importlib

__version__ = "0.1.0"

_PUBLIC = {
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
