"""Tables: the numbers are exactly the given ones."""

import math

import pytest

from bas_tf.report import table

_ROWS = [
    {
        "name": "centre_box",
        "top1_loc": None,
        "top5_loc": None,
        "gt_known_loc": 0.2134,
        "mean_iou": 0.25,
        "size_bytes": None,
    },
    {
        "name": "tflite_int8",
        "top1_loc": 1.0,
        "top5_loc": 0.0,
        "gt_known_loc": 0.98765,
        "mean_iou": 0.7,
        "size_bytes": 1_234_567,
    },
]


def test_terminal_table():
    assert table.format_table(_ROWS).splitlines() == [
        "             Top-1 Loc  Top-5 Loc  GT-known Loc  Mean IoU    Size",
        "Centre box           –          –        21.3 %    25.0 %       –",  # noqa: RUF001
        "TFLite int8    100.0 %      0.0 %        98.8 %    70.0 %  1.2 MB",
    ]


def test_terminal_table_without_true_boxes_has_the_accuracies():
    row = {**dict.fromkeys(table.COLUMNS), "name": "keras"}
    assert table.format_table([{**row, "top1_acc": 0.988, "top5_acc": 1.0}]) == (
        "             Top-1 accuracy  Top-5 accuracy  Size\n"
        "BAS (Keras)          98.8 %         100.0 %     –"  # noqa: RUF001
    )


@pytest.mark.parametrize(
    ("show", "value", "shown"),
    [
        (table.row_name, "cam", "CAM (its best threshold)"),
        (table.row_name, "keras", "BAS (Keras)"),
        (table.row_name, "saved_model", "SavedModel"),
        (table.row_name, "tflite_float32", "TFLite float32"),
        (table.row_name, "something_new", "something_new"),
        (table.format_size, 0, "0 B"),
        (table.format_size, 999, "999 B"),
        (table.format_size, 1000, "1.0 kB"),
        (table.format_size, 4_123_456, "4.1 MB"),
        (table.format_size, 25_000_000_000, "25.0 GB"),
        (table.format_size, 7_000_000_000_000, "7000.0 GB"),
        (table.format_size, None, table.MISSING),
        (table.format_percent, None, table.MISSING),
        (table.format_percent, math.nan, table.MISSING),
        (table.format_percent, 0.12345, "12.3 %"),
    ],
)
def test_names_sizes_and_fractions(show, value, shown):
    assert show(value) == shown


def test_metrics_of_the_three_methods_share_a_row():
    metrics = {
        "gt_known_loc": 0.9,
        "gt_known_loc@0.7_class_mean": 0.5,
        "extension/top1_loc": 0.75,
        "num_degenerate": 3,
        "cam/gt_known_loc": 0.6,
        "cam/score_threshold": 0.22,
        "centre_box/gt_known_loc": 0.2,
        "unheard/of": 0.125,
    }
    rows = table.metric_rows(metrics, {"gt_known_loc": (0.871, 0.925)})
    missing = (table.MISSING, "")
    assert [(row.key, row.name, row.cells) for row in rows] == [
        (
            "gt_known_loc",
            "GT-known Loc",
            [("90.0 %", "87.1 to 92.5"), ("60.0 %", ""), ("20.0 %", "")],
        ),
        (
            "gt_known_loc@0.7_class_mean",
            "GT-known Loc at IoU 0.7, mean over classes",
            [("50.0 %", ""), missing, missing],
        ),
        (
            "extension/top1_loc",
            "Top-1 Loc, extension (IoU ≥ 0.5)",
            [("75.0 %", ""), missing, missing],
        ),
        (
            "num_degenerate",
            "Images without a usable map",
            [("3", ""), missing, missing],
        ),
        ("score_threshold", "Score threshold", [missing, ("0.220", ""), missing]),
        ("unheard/of", "unheard/of", [("12.5 %", ""), missing, missing]),
    ]


def test_figures_with_thresholds_of_their_own():
    facts = {"protocol": "maxboxacc", "num_images": 40}
    figures = {
        "top1_acc": {
            **facts, "value": 0.5, "interval_95": [0.35, 0.65], "iou_thresholds": [],
            "comparison": None, "score_thresholds": [], "threshold_origin": None,
        },
        "cam/max_box_acc_v2": {
            **facts, "value": 0.9, "interval_95": [0.8, 1.0],
            "iou_thresholds": [0.3, 0.5, 0.7], "score_thresholds": [0.1, 0.25, 0.375],
            "comparison": ">=", "threshold_origin": "oracle",
        },
        "gt_known_loc@0.7": {
            **facts, "value": 0.25, "interval_95": [0.125, 0.4],
            "iou_thresholds": [0.7], "comparison": ">", "score_thresholds": [0.15],
            "threshold_origin": "fixed",
        },
    }  # fmt: skip
    lines = table.format_figures(figures).splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "Value 95 % IoU Threshold Origin Images",
        f"Top-1 accuracy 50.0 % 35.0 to 65.0 {' '.join(3 * [table.MISSING])} 40",
        "CAM: MaxBoxAccV2 90.0 % 80.0 to 100.0 >= 0.3, 0.5, 0.7 0.100, 0.250, 0.375 "
        "oracle 40",
        "GT-known Loc at IoU 0.7 25.0 % 12.5 to 40.0 > 0.7 0.150 fixed 40",
    ]
    assert len({len(line) for line in lines}) == 1
