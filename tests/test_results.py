"""What is told of a judgement, from the document alone."""

import types

from bas_tf import results


def judged(protocol: str, metrics: dict, figures: dict):
    """A judgement of 40 images at threshold 0.35 with values and their facts."""
    plain = {
        "num_images": 40, "average": "images", "iou_thresholds": [],
        "comparison": None, "score_thresholds": [], "threshold_origin": None,
    }  # fmt: skip
    document = {
        "protocol": protocol, "split": "test", "num_images": 40,
        "score_threshold": 0.35, "threshold_origin": "val-optimal",
        "metrics": metrics,
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
    assert words(results.describe(judged("bas", metrics, figures))) == [
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


def test_the_other_protocols_tell_their_figures_only():
    metrics = {"px_ap": 0.5, "num_images": 40}
    told = results.describe(
        judged("pxap", metrics, {"px_ap": {"interval_95": [0.4, 0.6]}})
    )
    assert words(told) == [
        "protocol pxap, split test, 40 images, score threshold 0.350 (val-optimal)",
        "Value 95 % IoU Threshold Origin Images",
        "PxAP 50.0 % 40.0 to 60.0 – – – 40",  # noqa: RUF001
    ]
