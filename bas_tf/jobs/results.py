"""Reports an evaluation: metrics.json, tables, the page and its pictures."""

import functools
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bas_tf import files
from bas_tf.evaluators import bas_protocol, per_image, sweeps
from bas_tf.evaluators.evaluation_result import EvaluationResult
from bas_tf.evaluators.metrics_file import BOX_SETTINGS, box_settings
from bas_tf.jobs import experiment, resuming
from bas_tf.metrics import error_taxonomy
from bas_tf.metrics.localization import IOU_THRESHOLD, LABEL, NAMES
from bas_tf.report import breakdown, cases, class_table, page, pictures, table
from bas_tf.report.plots import curves

METRICS_FILE, REPORT_FILE, PANELS_FILE = "metrics.json", "report.html", "panels.png"
PANELS = 16
EXAMPLE_HEIGHT = 128  # of the many small pictures of errors
WITHOUT_LABEL = (
    "Maps of the predicted class: GT-known Loc needs the label's, of "
    "eval.map_class=label and a model that takes a class."
)
# What says how the figures of a document were made; BOX_SETTINGS where they apply.
SETTING_KEYS = (
    "protocol",
    "split",
    "num_images",
    "score_threshold",
    "threshold_origin",
)


def settings_of(document: Mapping) -> dict:
    """How the figures of a metrics.json were made; KeyError if it does not say."""
    keys = [*SETTING_KEYS, *(key for key in BOX_SETTINGS if key in document)]
    return {key: document[key] for key in keys}


def table_row(name: str, metrics: dict, prefix: str = "", size: int | None = None):
    """A row of the results table and of summary.json."""
    keys = (
        *table.COLUMNS, *table.COLUMNS_WITHOUT_BOXES, *table.COLUMNS_OF_LABEL_MAPS,
        "gt_known_loc@0.7", "predicted_map_loc@0.7",
    )  # fmt: skip
    values = {key: metrics.get(prefix + key) for key in keys}
    return {"name": name, **values, "size_bytes": size}


def baseline_rows(evaluated: EvaluationResult) -> list[dict]:
    """Rows next to a Keras model that labels no pixels: best centred box and CAM."""
    metrics = evaluated.document["metrics"]
    if "miou" in metrics:
        return []
    return [
        table_row(name, metrics, prefix=f"{name}/")
        for name in ("centre_box", "cam")
        if any(key.startswith(f"{name}/") for key in metrics)
    ]


def describe(evaluated: EvaluationResult) -> str:
    """Tables for people, under a line that says what was measured and how.

    Of protocol `bas` the model next to the baselines, then every figure with its facts.
    """
    document = evaluated.document
    told = (
        f"protocol {document['protocol']}, split {document['split']}, "
        f"{document['num_images']} images, "
    )
    if made := box_settings(document):
        told += f"{made}, "
    told += "score threshold "
    origin, figures = document["threshold_origin"], document["figures"]
    note = "" if document["map_class"] == LABEL else f"\n\n{WITHOUT_LABEL}"
    metrics = document["metrics"]
    if "confidence_auroc" in metrics:
        area, count = metrics["confidence_auroc"], metrics["num_images_without_object"]
        note += f"\n\nAUROC of the confidence: {area:.3f}, against {count} of _none"
    if document["protocol"] != "bas":
        told += f"{document['score_threshold']:.3f} ({origin})\n"
        return told + table.format_figures(figures) + note
    rows = [*baseline_rows(evaluated), table_row("model", metrics)]
    told += f"{document['score_threshold']:.2f} ({origin})\n"
    told += f"{table.format_table(rows)}\n\n{table.format_figures(figures)}"
    return told + note


def write_per_image(evaluated: EvaluationResult, path: Path) -> None:
    """The per-image table as CSV, whole or not at all."""
    text = per_image.per_image_csv(
        evaluated.evaluation,
        protocol=evaluated.document["protocol"],
        records=evaluated.records,
        predictions=evaluated.predictions,
        class_names=evaluated.class_names,
    )
    files.write_file(path, text.encode(errors="surrogateescape"))  # as in file names


def write_results(evaluated: EvaluationResult, workdir: Path, rows: list[dict]) -> None:
    """WORKDIR/metrics.json, report.html, panels.png and per_class.csv.

    Of the Keras model's evaluation by protocol `bas`; rows are of the results table.
    """
    files.write_json(workdir / METRICS_FILE, evaluated.document)
    ious = evaluated.evaluation.per_image["iou"]
    broken_down = _break_down(evaluated)
    per_class = class_table.class_csv(broken_down.classes)
    files.write_file(workdir / page.CLASSES_FILE, per_class.encode())
    spread, best, worst = (
        cases.build_cases(evaluated, chosen)
        for chosen in (
            cases.choose_spread(evaluated.predictions.labels, count=PANELS),
            *cases.choose_best_and_worst(ious),
        )
    )
    sheet = pictures.contact_sheet(
        [case.picture for case in spread],
        columns=2,
        titles=cases.panel_titles(has_boxes=broken_down.has_boxes),
    )
    pictures.write_png(workdir / PANELS_FILE, sheet)
    page.write_report(
        workdir / REPORT_FILE,
        title=f"bas_tf: {evaluated.document['config'] or workdir.name}",
        rows=rows,
        metrics=evaluated.document,
        panels=spread,
        best=best,
        worst=worst,
        broken_down=broken_down,
        curves={**_loss_curves(workdir), **_threshold_curves(evaluated)},
        config_text=str(evaluated.config),
        versions=resuming.versions(),
        seed=evaluated.document["seed"],
    )


def _break_down(evaluated: EvaluationResult) -> breakdown.Breakdown:
    predictions = evaluated.predictions
    return breakdown.break_down(
        labels=predictions.labels,
        class_ids=predictions.first_class_ids,
        scores=predictions.scores,
        ious=evaluated.evaluation.per_image["iou"],
        kinds=_kinds(evaluated),
        class_names=evaluated.class_names,
        draw_cases=functools.partial(
            cases.build_cases, evaluated, tile_height=EXAMPLE_HEIGHT
        ),
        map_class=predictions.map_class,
        confidences=predictions.confidences(evaluated.evaluation.score_threshold),
    )


def _kinds(evaluated: EvaluationResult) -> np.ndarray:
    """Each image's kind of `error_taxonomy`, "" without true boxes: [images]."""
    predictions, truth = evaluated.predictions, evaluated.truth
    boxes, degenerate = bas_protocol.evaluated_boxes(
        predictions,
        truth,
        score_threshold=evaluated.evaluation.score_threshold,
        threshold_origin=evaluated.evaluation.threshold_origin,
    )
    is_class_right = predictions.first_class_ids == predictions.labels
    kinds = np.full(len(predictions), "", object)
    kinds[truth.images] = error_taxonomy.kinds_of(
        boxes[truth.images],
        truth.boxes,
        is_class_right=is_class_right[truth.images],
        is_degenerate=degenerate[truth.images],
    )
    return kinds


def _loss_curves(workdir: Path) -> dict[str, str]:
    log = workdir / experiment.LOG_FILE
    return curves.loss_curves(curves.read_log(log)) if log.is_file() else {}


def _threshold_curves(evaluated: EvaluationResult) -> dict[str, str]:
    """Right boxes and mean IoU against the threshold, BAS and CAM."""
    maps = {"BAS": evaluated.predictions.maps, "CAM": evaluated.predictions.cams}
    if not len(evaluated.truth.images):
        return {}
    methods = {}
    for name, method_maps in maps.items():
        if method_maps is not None:
            ious = sweeps.threshold_ious(method_maps, evaluated.truth)
            loc, mean_iou = NAMES[evaluated.predictions.map_class]
            methods[name] = {
                loc: (ious > IOU_THRESHOLD).mean(axis=0),
                mean_iou: ious.mean(axis=0),
            }
    return curves.threshold_curves(
        sweeps.SCORE_THRESHOLDS,
        methods,
        score_threshold=evaluated.document["score_threshold"],
    )
