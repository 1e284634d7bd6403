"""Names and numbers of the tables, in the terminal and on the page alike."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from bas_tf.evaluators.figures import LABEL_FIGURES
from bas_tf.report import text_table

MISSING = "\N{EN DASH}"
NAMES = {  # of metrics
    "top1_loc": "Top-1 Loc",
    "top5_loc": "Top-5 Loc",
    "gt_known_loc": "GT-known Loc",
    "mean_iou": "Mean IoU",
    "predicted_map_loc": "Predicted-map Loc",
    "predicted_map_iou": "Predicted-map IoU",
    "top1_acc": "Top-1 accuracy",
    "top5_acc": "Top-5 accuracy",
    "score_threshold": "Score threshold",
    "mean_map": "Mean of the foreground maps",
    "pixel_iou": "Pixel IoU with the masks",
    "pixel_precision": "Pixel precision with the masks",
    "peak_in_mask": "Highest pixel on the object",
    "all_boxes_precision": "Precision of all boxes",
    "all_boxes_recall": "Recall of all true boxes",
    "class_boxes_precision": "Precision of the classes' boxes",
    "class_boxes_recall": "Recall of the classes' boxes",
    "miou": "Mean IoU of label maps",
    "found": "Photos of an object: found",
    "none_found": "Photos without an object: found",
    "confidence_auroc": "AUROC of the confidence",
    "num_images_without_object": "Images of _none",
    "width_fraction": "Width of the box",
    "height_fraction": "Height of the box",
    "num_images": "Images",
    "num_degenerate": "Images without a usable map",
    "num_images_without_boxes": "Images without a true box",
    "num_empty_boxes": "True boxes without an area, left out",
    "max_box_acc": "MaxBoxAcc",
    "max_box_acc_v2": "MaxBoxAccV2",
    "px_ap": "PxAP",
    "peak_pixel_iou": "Peak pixel IoU",
    "piou": "PIoU (extension)",
    "pixel_recall": "Pixel recall of the masks",
    "size_bytes": "Size",
}
COLUMNS = (
    "top1_loc", "top5_loc", "gt_known_loc", "mean_iou", "predicted_map_loc",
    "predicted_map_iou", "size_bytes",
)  # fmt: skip
COLUMNS_WITHOUT_BOXES = ("top1_acc", "top5_acc", "size_bytes")
COLUMNS_OF_LABEL_MAPS = (*LABEL_FIGURES, "size_bytes")
METHODS = {"": "BAS", "cam": "CAM", "centre_box": "Centre box"}

_ROW_NAMES = {
    "centre_box": "Centre box",
    "cam": "CAM (its best threshold)",
    "keras": "BAS (Keras)",
    "saved_model": "SavedModel",
    "onnx": "ONNX",
}
_PLAIN_NUMBERS = ("score_threshold", "mean_map", "confidence_auroc")
_UNITS = ("B", "kB", "MB", "GB")


@dataclasses.dataclass(frozen=True)
class MetricRow:
    """One metric of the three methods.

    Attributes:
      key: without its method, such as "gt_known_loc@0.7".
      cells: (value, interval) for each of METHODS, as text; MISSING and "" where
        there is none.
    """

    key: str
    name: str
    cells: list[tuple[str, str]]


def format_table(rows: Sequence[Mapping]) -> str:
    """The table of a run for the terminal, fractions in percent.

    Args:
      rows: each with "name" and the keys of `columns_of`: fractions in [0, 1], a size
        in bytes; None where there is no number.
    """
    columns = columns_of(rows)
    lines = [row_cells(row, columns) for row in rows]
    return text_table.aligned([["", *columns.values()], *lines])


def columns_of(rows: Sequence[Mapping]) -> dict[str, str]:
    """Headings by key: COLUMNS, or those of classes where no row evaluates boxes.

    Figures of the predicted class's map are left out where no row has any. Of a network
    that labels pixels COLUMNS_OF_LABEL_MAPS, which are about all of its classes.
    """
    if any(row.get("miou") is not None for row in rows):
        return {key: NAMES[key] for key in COLUMNS_OF_LABEL_MAPS}
    known = {key for row in rows for key in COLUMNS if row.get(key) is not None}
    if not known & {"gt_known_loc", "predicted_map_loc"}:
        return {key: NAMES[key] for key in COLUMNS_WITHOUT_BOXES}
    return {
        key: NAMES[key]
        for key in COLUMNS
        if not key.startswith("predicted_") or key in known
    }


def format_figures(figures: Mapping[str, Mapping]) -> str:
    """The "figures" of a metrics.json, each with its threshold and its interval."""
    lines = [["", "Value", "95 %", "IoU", "Threshold", "Origin", "Images"]]
    lines += [_figure_cells(key, figure) for key, figure in figures.items()]
    return text_table.aligned(lines)


def _figure_cells(key: str, figure: Mapping) -> list[str]:
    method, base = _split_key(key)
    thresholds = [f"{t:.3f}" for t in figure["score_thresholds"]]
    return [
        (f"{METHODS[method]}: " if method else "") + _metric_name(base),
        format_percent(figure["value"]),
        _format_interval(base, figure["interval_95"]),
        _format_ious(figure),
        ", ".join(thresholds) or MISSING,
        figure["threshold_origin"] or MISSING,
        str(figure["num_images"]),
    ]


def _format_ious(figure: Mapping) -> str:
    """What a right box's IoU must be: "> 0.5", ">= 0.3, 0.5, 0.7"."""
    if not figure["iou_thresholds"]:
        return MISSING
    thresholds = ", ".join(f"{t:g}" for t in figure["iou_thresholds"])
    return f"{figure['comparison']} {thresholds}"


def row_cells(row: Mapping, columns: Mapping[str, str]) -> list[str]:
    """A row's display name and its numbers as text, in the columns' order."""
    numbers = [
        (format_size if key == "size_bytes" else format_percent)(row.get(key))
        for key in columns
    ]
    return [row_name(row["name"]), *numbers]


def row_name(name: str) -> str:
    """A row's display name: "tflite_int8" is "TFLite int8"; others stay."""
    if name.startswith("tflite_"):
        return f"TFLite {name.removeprefix('tflite_')}"
    return _ROW_NAMES.get(name, name)


def format_percent(fraction: float | None) -> str:
    """0.8765 -> "87.7 %"; None and NaN -> MISSING."""
    if fraction is None or math.isnan(fraction):
        return MISSING
    return f"{100 * fraction:.1f} %"


def format_size(num_bytes: int | None) -> str:
    """1_500_000 -> "1.5 MB", decimal units; None -> MISSING."""
    if num_bytes is None:
        return MISSING
    power = 0 if num_bytes < 1 else min(int(math.log10(num_bytes)) // 3, 3)
    digits = 1 if power else 0
    return f"{num_bytes / 1000**power:.{digits}f} {_UNITS[power]}"


def metric_rows(
    metrics: Mapping[str, float], intervals: Mapping[str, Sequence[float]]
) -> list[MetricRow]:
    """All metrics, one row for the same metric of BAS, CAM and the centre box.

    A key of CAM starts with "cam/", one of the centre box with "centre_box/". Rows come
    in the order in which their metrics first appear.
    """
    keys = list(dict.fromkeys(_split_key(key)[1] for key in metrics))
    return [
        MetricRow(key, _metric_name(key), _metric_cells(key, metrics, intervals))
        for key in keys
    ]


def _metric_cells(key: str, metrics: Mapping, intervals: Mapping):
    full_keys = [f"{method}/{key}" if method else key for method in METHODS]
    return [
        (
            _format_metric(key, metrics.get(full_key)),
            _format_interval(key, intervals.get(full_key)),
        )
        for full_key in full_keys
    ]


def _split_key(key: str) -> tuple[str, str]:
    method, _, rest = key.partition("/")
    return (method, rest) if rest and method in METHODS else ("", key)


def _metric_name(key: str) -> str:
    bare = key.removeprefix("extension/").removesuffix("_class_mean")
    base, _, threshold = bare.partition("@")
    name = NAMES.get(base, base)
    if key.startswith("extension/"):
        name += ", extension (IoU ≥ 0.5)"
    if threshold:
        name += f" at IoU {threshold}"
    return name + (", mean over classes" if key.endswith("_class_mean") else "")


def _format_metric(key: str, value: float | None) -> str:
    if value is None or math.isnan(value):
        return MISSING
    if key.startswith("num_"):
        return f"{value:.0f}"
    return f"{value:.3f}" if key in _PLAIN_NUMBERS else format_percent(value)


def _format_interval(key: str, interval: Sequence[float] | None) -> str:
    if interval is None:
        return ""
    low, high = (_format_metric(key, end).removesuffix(" %") for end in interval)
    return f"{low} to {high}"
