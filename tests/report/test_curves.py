"""Curves: the log is read exactly, the SVG shows the given values."""

import json
import re

import numpy as np
import pytest

from bas_tf import names
from bas_tf.errors import DataError
from bas_tf.report.plots import curves
from tests.report.parsed_svg import clipped_paths, parsed


def _paths(svg):
    """[points, 2] of every drawn curve, grid lines aside."""
    return [points for style, points in clipped_paths(svg) if "#b0b0b0" not in style]


def test_log_is_read_line_by_line(tmp_path):
    path = tmp_path / "metrics.jsonl"
    rows = [{"step": 1, "loss": 2.5}, {"step": 2, "loss": 1.25}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert curves.read_log(path) == rows


@pytest.mark.parametrize("line", ['{"step": 2, "lo', "[1]", '{"loss": 1}', ""])
def test_a_bad_line_is_named(tmp_path, line):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n' + line + "\n")
    with pytest.raises(DataError, match=r"metrics\.jsonl:2: not "):
        curves.read_log(path)


def test_a_missing_log_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.jsonl: cannot be read"):
        curves.read_log(tmp_path / "none.jsonl")


def test_loss_curve_points_are_proportional_to_the_values():
    losses = [4.0, 1.0, 2.0, 0.0]
    rows = [{"step": 10 * i, names.LOSS: loss} for i, loss in enumerate(losses)]
    (svg,) = curves.loss_curves(rows).values()
    raw, mean = _paths(svg)  # four values: the running mean reaches 0 values far
    np.testing.assert_allclose(raw, mean)
    x, y = raw.T
    np.testing.assert_allclose(np.diff(x), np.diff(x)[0], rtol=1e-5)
    height = (y[3] - y) / (y[3] - y[0])  # SVG's y points down
    np.testing.assert_allclose(height, np.array(losses) / 4, atol=1e-5)


def test_running_mean_by_hand():
    values = np.arange(80.0) ** 2  # reach 80 // 40 = 2
    means = curves._running_mean(values)
    assert means[0] == pytest.approx((0 + 1 + 4) / 3)
    assert means[10] == pytest.approx((64 + 81 + 100 + 121 + 144) / 5)
    assert means[79] == pytest.approx((77**2 + 78**2 + 79**2) / 3)


def test_only_logged_terms_are_drawn():
    rows = [{"step": i, "accuracy": i / 9} for i in range(10)]
    rows.append({"step": 10})  # a row without the value does not break the curve
    (svg,) = curves.loss_curves(rows).values()
    assert ">accuracy<" in svg
    assert "L_bas" not in svg
    assert curves.loss_curves([]) == {}


def test_threshold_curve_marks_the_threshold_in_use():
    methods = {
        "BAS": {"gt_known_loc": [0.2, 0.8, 0.4], "mean_iou": [0.1, 0.5, 0.3]},
        "CAM": {"gt_known_loc": [0.1, 0.3, 0.0]},
    }
    ((caption, svg),) = curves.threshold_curves(
        [0.0, 0.5, 1.0], methods, score_threshold=0.25
    ).items()
    assert "oracle information" in caption
    assert "dotted: 0.25, in use" in svg
    bas, bas_iou, cam, mark = _paths(svg)
    x, y = bas.T
    assert mark[0, 0] == mark[1, 0]
    assert mark[0, 0] == pytest.approx((x[0] + x[1]) / 2, abs=1e-4)  # 0.25
    unit = (y[0] - y[1]) / 0.6
    np.testing.assert_allclose(bas_iou[:, 1] - y, [0.1 * unit, 0.3 * unit, 0.1 * unit])
    np.testing.assert_allclose(cam[:, 1] - y, [0.1 * unit, 0.5 * unit, 0.4 * unit])
    for label in ("BAS, GT-known Loc", "BAS, Mean IoU", "CAM, GT-known Loc"):
        assert label in svg


def test_the_legend_lies_below_the_axes():
    rows = [{"step": i, "accuracy": i / 9, "area_constraint_loss": 0.5} for i in (0, 9)]
    svgs = curves.loss_curves(rows)
    svgs |= curves.threshold_curves(
        [0.0, 1.0], {"BAS": {"mean_iou": [0.1, 0.5]}}, score_threshold=0.5
    )
    assert len(svgs) == 2
    for svg in svgs.values():
        lowest = max(path[:, 1].max() for path in _paths(svg))
        groups = parsed(svg).iter("g")
        (legend,) = (g for g in groups if "legend" in g.get("id", ""))
        texts = [text.attrib["y"] for text in legend.iter("text")]
        assert texts
        assert min(map(float, texts)) > lowest + 10  # below the axis's own numbers


def test_svgs_are_repeatable_and_their_ids_differ_between_figures():
    rows = [{"step": i, "loss": 1.0 / (i + 1), "accuracy": 0.5} for i in range(9)]
    figures = curves.loss_curves(rows)
    assert figures == curves.loss_curves(rows)
    ids = [set(re.findall(r'\bid="([^"]+)"', svg)) for svg in figures.values()]
    assert len(ids) == 2
    assert not ids[0] & ids[1]
    for svg, own in zip(figures.values(), ids, strict=True):
        used = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', svg)
        assert {a or b for a, b in used} <= own
        assert "http" not in svg
