"""Reports of an evaluation, from the document alone, and what the demo wrote."""

import csv
import json
import re
import types

import numpy as np
import pytest

from bas_tf.jobs import results
from bas_tf.report import breakdown


def evaluated(protocol: str, metrics: dict, figures: dict):
    """An evaluation of 40 images at threshold 0.35 with values and their facts."""
    plain = {
        "num_images": 40, "average": "images", "iou_thresholds": [],
        "comparison": None, "score_thresholds": [], "threshold_origin": None,
    }  # fmt: skip
    document = {
        "protocol": protocol, "split": "test", "num_images": 40,
        "score_threshold": 0.35, "threshold_origin": "val-optimal",
        "map_class": "label", "metrics": metrics,
        "figures": {
            name: {**plain, "value": metrics[name], **facts}
            for name, facts in figures.items()
        },
    }  # fmt: skip
    return types.SimpleNamespace(document=document)


def words(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_bas_compares_the_methods_and_tells_every_figure():
    metrics = {
        "gt_known_loc": 0.9, "top1_loc": 0.8, "top5_loc": 0.85, "mean_iou": 0.7,
        "extension/gt_known_loc": 0.925, "cam/gt_known_loc": 0.6,
        "cam/top1_loc": 0.5, "cam/top5_loc": 0.55, "cam/mean_iou": 0.4,
    }  # fmt: skip
    at = {"score_thresholds": [0.35], "threshold_origin": "val-optimal"}
    figures = {
        "gt_known_loc": {
            **at, "interval_95": [0.8, 0.975], "iou_thresholds": [0.5],
            "comparison": ">",
        },
        "extension/gt_known_loc": {
            **at, "interval_95": [0.825, 1.0], "iou_thresholds": [0.5],
            "comparison": ">=",
        },
        "cam/gt_known_loc": {
            "interval_95": [0.45, 0.75], "iou_thresholds": [0.5], "comparison": ">",
            "score_thresholds": [0.2], "threshold_origin": "oracle",
        },
    }  # fmt: skip
    assert words(results.describe(evaluated("bas", metrics, figures))) == [
        "protocol bas, split test, 40 images, score threshold 0.35 (val-optimal)",
        "Top-1 Loc Top-5 Loc GT-known Loc Mean IoU Size",
        "CAM (its best threshold) 50.0 % 55.0 % 60.0 % 40.0 % –",  # noqa: RUF001
        "model 80.0 % 85.0 % 90.0 % 70.0 % –",  # noqa: RUF001
        "",
        "Value 95 % IoU Threshold Origin Images",
        "GT-known Loc 90.0 % 80.0 to 97.5 > 0.5 0.350 val-optimal 40",
        "GT-known Loc, extension (IoU ≥ 0.5) 92.5 % 82.5 to 100.0 >= 0.5 0.350 "
        "val-optimal 40",
        "CAM: GT-known Loc 60.0 % 45.0 to 75.0 > 0.5 0.200 oracle 40",
    ]


def test_bas_without_true_boxes_tells_the_accuracies_first():
    metrics = {"top1_acc": 0.975, "top5_acc": 1.0}
    figures = {"top1_acc": {"interval_95": [0.925, 1.0]}}
    assert words(results.describe(evaluated("bas", metrics, figures)))[1:3] == [
        "Top-1 accuracy Top-5 accuracy Size",
        "model 97.5 % 100.0 % –",  # noqa: RUF001
    ]


def test_the_other_protocols_tell_their_figures_only():
    metrics = {"px_ap": 0.5, "num_images": 40}
    told = results.describe(
        evaluated("pxap", metrics, {"px_ap": {"interval_95": [0.4, 0.6]}})
    )
    assert words(told) == [
        "protocol pxap, split test, 40 images, score threshold 0.350 (val-optimal)",
        "Value 95 % IoU Threshold Origin Images",
        "PxAP 50.0 % 40.0 to 60.0 – – – 40",  # noqa: RUF001
    ]


@pytest.fixture
def written(demo_workdir):
    """(metrics, rows of per_class.csv, the page) of the quick demo."""
    metrics = json.loads((demo_workdir / "metrics.json").read_text())["metrics"]
    with open(demo_workdir / "per_class.csv") as file:
        rows = list(csv.DictReader(file))
    return metrics, rows, (demo_workdir / "report.html").read_text()


@pytest.mark.slow
def test_the_demos_classes_have_the_means_of_its_figures(written):
    metrics, rows, _ = written
    assert len(rows) == 8
    assert sum(int(row["images"]) for row in rows) == metrics["num_images"] == 32
    weights = [int(row["images_with_boxes"]) for row in rows]
    for name in ("top1_loc", "gt_known_loc", "mean_iou", "top1_acc"):
        values = [float(row[name]) for row in rows]
        mean = np.average(values, weights=weights)
        assert mean == pytest.approx(metrics[name], abs=1e-8)
        class_mean = metrics[f"{name}_class_mean"]
        assert np.mean(values) == pytest.approx(class_mean, abs=1e-8)
    assert [float(row["top1_loc"]) for row in rows] == sorted(
        float(row["top1_loc"]) for row in rows
    )


@pytest.mark.slow
def test_the_demos_kinds_of_errors_add_up(written):
    metrics, _, page = written
    cells = re.findall(r'<th scope="row">([^<]+)</th><td>(\d+)</td>', page)
    counts = {name: int(count) for name, count in cells}
    kinds = [title for title, _ in breakdown.KINDS.values()]
    total = counts["All with a true box"]
    assert sum(counts[kind] for kind in kinds) == total == 32
    assert counts["Right"] == round(metrics["top1_loc"] * total)
    known = counts["Right"] + counts["Wrong class"]
    assert known == round(metrics["gt_known_loc"] * total)


@pytest.mark.slow
def test_the_demos_page_is_light(written):
    assert len(written[2]) < 3_000_000
