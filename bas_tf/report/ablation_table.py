"""The ablation's table: Markdown whose columns a terminal shows aligned."""

from collections.abc import Mapping

from bas_tf.report import text_table
from bas_tf.report.table import MISSING

FIGURES = {
    "gt_known_loc": "GT-known",
    "gt_known_loc@0.7": "IoU 0.7",
    "mean_iou": "mean IoU",
    "top1_loc": "Top-1 Loc",
}
_THRESHOLDS = {
    "fixed": "fixed: boxes at the config's threshold",
    "val-optimal": "val-optimal: boxes at the threshold that is best for the row's "
    "GT-known Loc on `val`",
    "oracle": "oracle: boxes at the threshold that is best for the row's GT-known Loc "
    "on this very split, since the maps of other losses have other levels",
}


def ablation_table(document: Mapping) -> str:
    """Markdown of an ablation.json: what was measured and how, then a line a row."""
    rows = document["rows"]
    table = text_table.markdown([_header(rows[0]), *map(_cells, rows)], text_columns=2)
    return f"{_caption(document)}\n\n{table}"


def _caption(document: Mapping) -> str:
    thresholds = ". ".join(_THRESHOLDS[origin] for origin in document["rows"][0]["at"])
    return (
        f"Protocol `{document['protocol']}` (IoU > 0.5 is right), split "
        f"`{document['split']}`, {document['num_images']} images, "
        f"`{document['config']}`, seed {document['seed']}. In percent, thresholds t "
        f"aside. {thresholds}. IoU 0.7: GT-known Loc at IoU > 0.7. Mean map: share of "
        "the image that the foreground map covers, before it is scaled to [0, 1]."
    )


def _header(row: Mapping) -> list[str]:
    names = ("t", *FIGURES.values())
    groups = (f"{origin} {name}" for origin in row["at"] for name in names)
    return ["row", "added to L_cls", "top-k", *groups, "Top-1 accuracy", "mean map"]


def _cells(row: Mapping) -> list[str]:
    groups = []
    for figures in row["at"].values():
        groups.append(f"{figures['score_threshold']:.2f}")
        groups += [_percent(figures[key]) for key in FIGURES]
    return [
        row["name"],
        row["terms"],
        str(row["top_k"]),
        *groups,
        _percent(row["top1_acc"]),
        _percent(row["mean_map"]),
    ]


def _percent(fraction: float | None) -> str:
    return MISSING if fraction is None else f"{100 * fraction:.1f}"
