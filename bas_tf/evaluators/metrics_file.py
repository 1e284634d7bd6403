"""metrics.json: what was evaluated, how, and the figures."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from bas_tf.evaluators.figures import LABEL_FIGURES, Evaluation, Figure

# What of the config's eval group makes other boxes than the plain model's, in words.
BOX_SETTINGS = {
    "map": "the class activation map as the map",
    "refine": "boxes refined by {}",
    "views": "maps averaged over {}",
}


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
      model: what was evaluated: a path, or a format's name.
      config: name of the config, with its variant.
      seed: the training run's, None when unknown.

    Returns:
      A dict that `json` can write. The key "metrics" has all values, "intervals_95"
      those of the figures, and "figures" has the protocol and the attributes of
      `Figure` for each of them.
    """
    return {
        "protocol": protocol,
        "split": split,
        "num_images": int(evaluation.metrics["num_images"]),
        "score_threshold": float(evaluation.score_threshold),
        "threshold_origin": evaluation.threshold_origin,
        "map_class": evaluation.map_class,
        "model": model,
        "config": config,
        "seed": seed,
        "metrics": {name: _plain(value) for name, value in evaluation},
        "intervals_95": {
            name: [float(low), float(high)]
            for name, (low, high) in evaluation.intervals_95.items()
        },
        "figures": {
            name: _facts(figure, protocol)
            for name, figure in evaluation.figures.items()
        },
    }


def add_setting(document: dict[str, Any], key: str, value: str) -> None:
    """Records how the model's boxes were made, once and with each of their figures.

    Baselines, and figures of classes or label maps alone, are as they were. The key is
    of BOX_SETTINGS, the value that of the config's eval group.
    """
    document[key] = value
    for name, facts in document["figures"].items():
        if "/" not in name and "acc" not in name and name not in LABEL_FIGURES:
            facts[key] = value


def box_settings(document: Mapping[str, Any]) -> str:
    """How the model's boxes were made, in words; "" for the plain model's."""
    words = BOX_SETTINGS.items()
    return ", ".join(w.format(document[key]) for key, w in words if document.get(key))


def _facts(figure: Figure, protocol: str) -> dict[str, Any]:
    facts = {"protocol": protocol, **dataclasses.asdict(figure)}
    return {key: list(v) if isinstance(v, tuple) else v for key, v in facts.items()}


def _plain(value) -> int | float:
    """Counts stay whole; everything else becomes a Python float."""
    return value if isinstance(value, int) else float(value)
