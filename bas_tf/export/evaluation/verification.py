"""Evaluates a workdir and its exported files alike, and compares their answers."""

from pathlib import Path

from bas_tf.errors import UserError
from bas_tf.export.artifacts.onnx_files import ONNX_FILE
from bas_tf.runners.tflite_document import read_tflite_document

EVALUATED = ("gt_known_loc", "predicted_map_loc", "top1_loc")
SAVED_MODEL = "saved_model"


def find_artifacts(folder: Path) -> dict[str, Path]:
    """{row's name: path} of the SavedModel, the TFLite and the ONNX files in `folder`.

    Raises:
      UserError: there is none.
    """
    found = {}
    if (folder / SAVED_MODEL / "saved_model.pb").is_file():
        found[SAVED_MODEL] = folder / SAVED_MODEL
    for path in sorted(folder.glob("localizer_*.tflite")):
        found[path.stem.replace("localizer", "tflite")] = path
    for path in sorted(folder.glob("given_class_*.tflite")):
        found[path.stem] = path
    if (folder / ONNX_FILE).is_file():
        found["onnx"] = folder / ONNX_FILE
    if not found:
        raise UserError(
            f"--artifacts={folder}: no saved_model/, no localizer_*.tflite and no "
            f"{ONNX_FILE}"
        )
    return found


def by_refinement(artifacts: dict[str, Path]) -> dict[str, dict[str, Path]]:
    """{what boxes are refined by: its files}, "none" first, with or without a file."""
    found = {"none": {}}
    for name, path in artifacts.items():
        document = read_tflite_document(path) if path.suffix == ".tflite" else {}
        found.setdefault(document.get("refine", "none"), {})[name] = path
    return found


def by_centre_crop(config):
    """The config without eval.ten_crop and eval.views, which need a workdir."""
    config = config.copy_and_resolve_references()
    config.eval.ten_crop, config.eval.views = False, ""
    return config


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())


def verify_artifacts(evaluator, keras_result, artifacts: dict[str, Path]) -> list[dict]:
    """Evaluates each file next to the Keras model's evaluation by the same evaluator.

    Returns:
      One row a file: the table's columns, `max_box_difference` (pixels of the crop,
      largest over images) and `mean_iou_with_keras` of its boxes, `class_agreement`,
      `max_map_difference`.
    """
    from bas_tf.jobs import experiment, results

    rows = []
    for name, path in artifacts.items():
        evaluated = evaluator.evaluate(experiment.load_runner(path), model=str(path))
        row = results.table_row(name, evaluated.document["metrics"], size=size_of(path))
        rows.append(
            {**row, **agreement(keras_result.predictions, evaluated.predictions)}
        )
    return rows


def agreement(expected, actual) -> dict[str, float]:
    """How far one model's predictions are from another's on the same images.

    Both are of the predicted class's map, or of the label's where the file draws no
    other; `class_agreement` is None then.
    """
    import numpy as np

    from bas_tf.geometry import boxes

    classifies = actual.classifies
    if classifies:
        expected, actual = (each.predicted or each for each in (expected, actual))
    pairs = zip(expected.boxes, actual.boxes, strict=True)
    overlaps = [boxes.iou_xyxy(a[np.newaxis], b[np.newaxis])[0, 0] for a, b in pairs]
    return {
        "max_box_difference": float(np.abs(expected.boxes - actual.boxes).max()),
        "mean_iou_with_keras": float(np.mean(overlaps)),
        "class_agreement": float(
            np.mean(expected.first_class_ids == actual.first_class_ids)
        )
        if classifies
        else None,
        "max_map_difference": float(_map_differences(expected.maps, actual.maps).max()),
    }


def _map_differences(expected, actual):
    """|map - map|: 0 where neither is a number, 1 (all it can be) where one is none."""
    import numpy as np

    both = np.isnan(expected) & np.isnan(actual)
    return np.where(both, 0, np.nan_to_num(np.abs(expected - actual), nan=1))


def lost_too_much(rows: list[dict], keras_row: dict, max_drop: float) -> list[str]:
    """One line for each file and figure that lost more than allowed against Keras."""
    return [
        f"{row['name']} lost {keras_row[figure] - row[figure]:.3f} of {figure}, more "
        f"than --max_drop={max_drop}"
        for row in rows
        for figure in EVALUATED
        if None not in (keras_row.get(figure), row.get(figure))
        and keras_row[figure] - row[figure] > max_drop
    ]


def format_nearness(rows: list[dict]) -> str:
    """The second table for people: next to Keras, and on this machine."""
    from bas_tf.report import table

    lines = [
        f"{'next to Keras':<18}{'same class':>11}{'box IoU':>9}{'|map|':>9}"
        f"{'p50 ms':>9}{'p95 ms':>9}{'peak MiB':>10}"
    ]
    for row in rows:
        lines.append(
            f"{row['name']:<18}{table.format_percent(row['class_agreement']):>11}"
            f"{row['mean_iou_with_keras']:>9.3f}{row['max_map_difference']:>9.1e}"
            f"{row['p50_ms']:>9.2f}{row['p95_ms']:>9.2f}"
            f"{row['peak_memory_bytes'] / 2**20:>10.0f}"
        )
    return "\n".join(lines)
