"""metrics.json: what was judged, how, and the figures."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bas_tf.errors import UserError
from bas_tf.evaluators.bas_protocol import Evaluation


def metrics_document(
    evaluation: Evaluation,
    *,
    protocol: str,
    split: str,
    model: str,
    config: str,
    seed: int | None,
) -> dict[str, Any]:
    """The content of metrics.json.

    Args:
      evaluation: the judge's result; every fraction is in [0, 1].
      protocol: "bas", "maxboxacc" or "pxap".
      split: name of the split judged.
      model: what was judged: a path, or a format's name.
      config: name of the config, with its variant.
      seed: the training run's, None when unknown.

    Returns:
      A dict that `json` can write.
    """
    return {
        "protocol": protocol,
        "split": split,
        "num_images": int(evaluation.metrics["num_images"]),
        "score_threshold": float(evaluation.score_threshold),
        "threshold_origin": evaluation.threshold_origin,
        "model": model,
        "config": config,
        "seed": seed,
        "metrics": {name: _plain(value) for name, value in evaluation},
        "intervals_95": {
            name: [float(low), float(high)]
            for name, (low, high) in evaluation.intervals_95.items()
        },
    }


def write_json(path: str | Path, document: Mapping[str, Any]) -> None:
    """Writes a JSON file whole or not at all: a temporary name, then a rename.

    Raises:
      UserError: the file cannot be written.
      ValueError: a value is NaN or infinite, which JSON does not have.
    """
    path = Path(path)
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        if temporary.is_file():
            temporary.unlink()
        raise UserError(f"{path}: cannot be written ({error.strerror})") from error


def _plain(value) -> int | float:
    """Counts stay whole; everything else becomes a Python float."""
    return value if isinstance(value, int) else float(value)
