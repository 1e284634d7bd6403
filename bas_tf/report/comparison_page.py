"""Runs side by side: the tables as Markdown, tables and maps as a page."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bas_tf import files
from bas_tf.evaluators.figures import LABEL_FIGURES
from bas_tf.evaluators.metrics_file import box_settings
from bas_tf.report import text_table
from bas_tf.report.compared_images import ComparedImage
from bas_tf.report.table import MISSING, NAMES, format_percent
from bas_tf.report.templates import load_template

FIGURES = (
    *LABEL_FIGURES, "gt_known_loc", "top1_loc", "top5_loc", "mean_iou",
    "predicted_map_loc", "max_box_acc_v2", "px_ap", "top1_acc",
)  # fmt: skip
# Figures whose difference is reported image by image.
PAIRED = ("gt_known_loc", "predicted_map_loc", "top1_loc", "mean_iou", "top1_acc")
SECTIONS = ("Where the runs disagree most", "Other images, evenly spread")
_APART = (
    "The tables are separate because their figures cannot be compared: protocols "
    "evaluate boxes differently, splits hold different images, a threshold that was "
    "chosen on the evaluated images (oracle) gives figures that are too good, "
    "classes of ten crops are not those of one, and refined boxes not the network's."
)


@dataclasses.dataclass(frozen=True)
class Table:
    """A table to show: title, a paragraph, cells as text; a row starts with a name."""

    title: str
    note: str
    header: list[str]
    rows: list[list[str]]


def markdown(document: Mapping) -> str:
    """The tables that a comparison.json gives; no final newline."""
    parts = [f"# {title(document)}", *notes(document)]
    for table in tables(document):
        cells = text_table.markdown([table.header, *table.rows])
        parts += [f"## {table.title}", table.note, cells]
    return "\n\n".join(parts)


def write_page(
    path: Path, document: Mapping, sections: Mapping[str, Sequence[ComparedImage]]
) -> None:
    """Writes the page, whole or not at all; it needs no network and no script.

    Args:
      document: the content of comparison.json.
      sections: images by heading; one without images is left out.
    """
    html = load_template("comparison.html.j2").render(
        title=title(document),
        notes=notes(document),
        tables=tables(document),
        sections={heading: images for heading, images in sections.items() if images},
    )
    files.write_file(path, html.encode(errors="replace"))


def title(document: Mapping) -> str:
    """Which runs."""
    return f"Runs side by side: {', '.join(row['name'] for row in document['runs'])}"


def notes(document: Mapping) -> list[str]:
    """The paragraphs before the tables."""
    apart = _APART if len(document["groups"]) > 1 else None
    return [note for note in (apart, document["left_out"]) if note]


def tables(document: Mapping) -> list[Table]:
    """A table for each group of comparable runs, then that of the same images."""
    rows = {row["name"]: row for row in document["runs"]}
    groups = [[rows[name] for name in group] for group in document["groups"]]
    same = document["same_images"]
    return [*map(_group_table, groups), *([_same_table(same)] if same else [])]


def _group_table(rows: Sequence[Mapping]) -> Table:
    first = rows[0]
    figures = _present(rows)
    precision = first.get("ten_crop_precision")
    crops = f", classes of ten crops in {precision}" if precision else ""
    data = next((row["data"] for row in rows if row["data"]), None)
    note = "As each metrics.json says; in brackets 95 % intervals."
    if data:
        said = ", ".join(f"{key}={_setting(value)}" for key, value in data.items())
        note += f" Images: {said}."
    if any(row["data"] is None for row in rows):
        note += " A file of an older version does not say which images it is of."
    return Table(
        title=(
            f"Protocol {first['protocol']}, split {first['split']}, "
            f"{first['num_images']} images, threshold {first['threshold_origin']}"
            f"{crops}{_boxes(first)}"
        ),
        note=note,
        header=["run", *first["settings"], "seed", "threshold"]
        + [NAMES[key] for key in figures],
        rows=[
            [
                row["name"],
                *map(_setting, row["settings"].values()),
                _setting(row["seed"]),
                f"{row['score_threshold']:.3g}",
                *(_figure(row["figures"].get(key)) for key in figures),
            ]
            for row in rows
        ],
    )


def _same_table(same: Mapping) -> Table:
    """Figures of the models as they were run here, those of PAIRED with differences."""
    rows = same["rows"]
    figures = [key for key in (*LABEL_FIGURES, *PAIRED) if key in _present(rows)]
    header = ["run", "threshold"]
    for key in figures:
        header += [NAMES[key], *["difference"] * (key in PAIRED)]
    lines = []
    for row in rows:
        cells = [row["name"], f"{row['score_threshold']:.3g}"]
        for key in figures:
            cells.append(_figure(row["figures"].get(key)))
            if key in PAIRED:
                cells.append(_difference(row["difference"].get(key)))
        lines.append(cells)
    alone = "" if same["num_images_with_boxes"] else " Without boxes: classes alone."
    return Table(
        title=(
            f"On the same images: split {same['split']}, {same['num_images']} images, "
            f"{same['num_images_with_boxes']} with boxes{_boxes(same)}"
        ),
        note=(
            f"All models run anew by protocol {same['protocol']}, threshold "
            f"{same['threshold_origin']}, and the first one's eval settings.{alone} "
            f"Differences to {same['reference']} in percentage points; their 95 % "
            "intervals resample these images, so they show what other images might "
            "change, not what another seed of the training would."
        ),
        header=header,
        rows=lines,
    )


def _boxes(document: Mapping) -> str:
    made = box_settings(document)
    return f", {made}" if made else ""


def _present(rows: Sequence[Mapping]) -> list[str]:
    """The keys of FIGURES that any of the rows has."""
    return [key for key in FIGURES if any(key in row["figures"] for row in rows)]


def _figure(figure: Mapping | None) -> str:
    """ "87.5 % (80.1 to 93.2)"; MISSING where there is none."""
    if figure is None:
        return MISSING
    return format_percent(figure["value"]) + _interval(figure, ".1f")


def _difference(difference: Mapping | None) -> str:
    """ "+3.1 (-1.2 to +7.4)"; MISSING where there is none."""
    if difference is None:
        return MISSING
    return f"{100 * difference['value']:+.1f}" + _interval(difference, "+.1f")


def _interval(figure: Mapping, form: str) -> str:
    if figure["interval_95"] is None:
        return ""
    low, high = (format(100 * end, form) for end in figure["interval_95"])
    return f" ({low} to {high})"


def _setting(value: Any) -> str:
    """A config's value as text; MISSING for None."""
    if value is None:
        return MISSING
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return f"({', '.join(map(_setting, value))})"
    return str(value) if value != "" else '""'
