"""report.html: one self-contained page about a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup

from bas_tf import files
from bas_tf.evaluators.metrics_file import box_settings
from bas_tf.metrics.calibration import Reliability
from bas_tf.metrics.confusion import confusions
from bas_tf.report import class_table, table
from bas_tf.report.breakdown import Breakdown
from bas_tf.report.cases import Case, class_name, panel_titles
from bas_tf.report.plots import confusion_plot, reliability_plot
from bas_tf.report.templates import load_template

CLASSES_FILE = "per_class.csv"  # next to the page
LISTED_CONFUSIONS = 10
# What "right" means in each protocol; see method and metrics.
_CORRECT_WHEN = {"bas": "IoU > 0.5", "maxboxacc": "IoU ≥ 0.5"}


def write_report(
    path: str | Path,
    *,
    title: str,
    rows: Sequence[Mapping],
    metrics: Mapping,
    panels: Sequence[Case],
    best: Sequence[Case],
    worst: Sequence[Case],
    broken_down: Breakdown,
    curves: Mapping[str, str],
    config_text: str,
    versions: Mapping[str, str],
    seed: int,
) -> None:
    """Writes the page, whole or not at all; it needs no network and no script.

    Args:
      rows: rows of the results table, see `table.format_table`.
      metrics: the content of metrics.json.
      panels: cases spread over the classes.
      best, worst: cases of the highest and the lowest IoU, the most extreme first.
      curves: inline SVG by caption; the only input that is not escaped.

    Raises:
      UserError: the path cannot be written.
    """
    columns, has_boxes = table.columns_of(rows), broken_down.has_boxes
    html = load_template("report.html.j2").render(
        title=title,
        facts=protocol_facts(metrics, seed=seed),
        columns=list(columns.values()),
        rows=[table.row_cells(row, columns) for row in rows],
        has_boxes=has_boxes,
        panels=panels,
        best=best,
        worst=worst,
        panel_titles=panel_titles(has_boxes=has_boxes),
        errors=broken_down.errors,
        classes=_class_section(broken_down),
        label_maps=_label_map_section(metrics),
        confusion=_confusion_section(broken_down),
        reliability=_reliability_section(broken_down.reliability),
        box_reliability=_box_reliability_section(broken_down),
        curves={caption: Markup(svg) for caption, svg in curves.items()},
        methods=list(table.METHODS.values()),
        metric_rows=table.metric_rows(metrics["metrics"], metrics["intervals_95"]),
        config_text=config_text,
        versions=versions,
    )
    files.write_file(path, html.encode(errors="replace"))


def protocol_facts(metrics: Mapping, *, seed: int) -> dict[str, str]:
    """How the figures were made, by name: what every printed number must say."""
    protocol = metrics["protocol"]
    threshold = f"{metrics['score_threshold']:g} ({metrics['threshold_origin']})"
    facts = {
        "Protocol": protocol,
        "A box is right when": _CORRECT_WHEN.get(protocol),
        "Boxes": box_settings(metrics),
        "Score threshold": threshold,
        "Split": f"{metrics['split']}, {metrics['num_images']} images",
        "Seed": str(seed),
    }
    return {name: fact for name, fact in facts.items() if fact}


def _class_section(broken_down: Breakdown) -> dict:
    """The worst classes that have images, and what is not listed."""
    rows = [row for row in broken_down.classes if row.num_images]
    return {
        "columns": [table.NAMES[key] for key in rows[0].figures],
        "rows": rows[: class_table.LISTED],
        "num_more": max(len(rows) - class_table.LISTED, 0),
        "num_without_images": len(broken_down.classes) - len(rows),
        "file": CLASSES_FILE,
    }


def _label_map_section(metrics: Mapping) -> dict:
    """The background's IoU, then the lowest of the classes that have pixels."""
    ious = metrics.get("class_ious", {}).items()
    found = sorted((iou, name) for name, iou in ious if iou is not None)
    listed = [(name, iou) for iou, name in found[: class_table.LISTED]]
    background = [("background", metrics.get("background_iou"))] if found else []
    return {"rows": background + listed, "num_more": len(found) - len(listed)}


def _confusion_section(broken_down: Breakdown) -> dict:
    """The most frequent confusions, and the matrix where it can be read."""
    counts, names = broken_down.confusion, broken_down.class_names
    found, totals = confusions(counts), counts.sum(axis=1)
    rows = [
        {
            "true_class": names[confusion.label],
            "predicted_class": class_name(names, confusion.predicted),
            "count": confusion.count,
            "share": confusion.count / totals[confusion.label],
        }
        for confusion in found[:LISTED_CONFUSIONS]
    ]
    rest = [confusion.count for confusion in found[LISTED_CONFUSIONS:]]
    is_small = len(names) <= confusion_plot.MOST_CLASSES
    return {
        "rows": rows,
        "num_more": len(rest),
        "num_images_more": sum(rest),
        "num_right": int(np.trace(counts)),
        "num_images": int(counts.sum()),
        "num_classes": len(names),
        "picture": confusion_plot.confusion_png(counts, names) if is_small else None,
    }


def _box_reliability_section(broken_down: Breakdown) -> dict | None:
    found = broken_down.box_reliability
    axes = {"outcome": "IoU", "forecast": "confidence of the box"}
    return found and _reliability_section(found, **axes)


def _reliability_section(reliability: Reliability, **axes: str) -> dict:
    """The chart, whose `axes` are named so, and the same as a table."""
    ends = zip(reliability.edges[:-1], reliability.edges[1:], strict=True)
    return {
        "error": table.format_percent(reliability.expected_calibration_error),
        "num_without_score": reliability.num_without_score,
        "svg": Markup(reliability_plot.reliability_svg(reliability, **axes)),
        "bins": [f"{low:g} to {high:g}" for low, high in ends],
        "of": reliability,
    }
