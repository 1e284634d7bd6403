"""The front and its knee on made-up rows; the whole command on drawings."""

import json

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from bas_tf.errors import UserError
from benchmarks import edge_front, edge_front_plot, edge_front_rows


def row(p50_ms, mean_iou, size_bytes=1_000_000, **others) -> dict:
    figures = {key: mean_iou for key in edge_front.COLUMNS}
    place = {"head": "linear", "size": 96, "quantization": "int8"}
    return {
        **place, **figures, "p50_ms": p50_ms, "size_bytes": size_bytes, **others
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "costs", "front"),
    [
        # 1 is slower and worse than 0, 3 as fast as 2 and worse, 4 slower and alike.
        ([row(2, 0.6), row(3, 0.5), row(4, 0.8), row(4, 0.7), row(5, 0.8)], 1, [0, 2]),
        ([row(4, 0.8), row(3, 0.5), row(2, 0.6)], 1, [2, 0]),  # by ascending latency
        # Rows alike in everything are all on it.
        ([row(2, 0.6, head="a"), row(2, 0.6, head="b"), row(3, 0.6)], 1, [0, 1]),
        ([row(2, 0.6)], 1, [0]),
        # A smaller file is on the front of latency and size only.
        ([row(2, 0.6, 9), row(3, 0.6, 5)], 1, [0]),
        ([row(2, 0.6, 9), row(3, 0.6, 5)], 2, [0, 1]),
    ],
)
def test_the_front_leaves_out_what_another_beats(rows, costs, front):
    found = edge_front_rows.pareto_front(
        rows, costs=edge_front_rows.COSTS[:costs], accuracy="predicted_map_iou"
    )
    assert [rows.index(kept) for kept in found] == front


def test_the_knee_is_farthest_above_the_line_between_the_ends():
    # Latency 1, 2, 4, 16 is 0, 1/4, 1/2, 1 in logarithms; mean IoU 0.4, 0.6, 0.7, 0.8
    # is 0, 1/2, 3/4, 1: 0, 1/4, 1/4 + epsilon, 0 above the line.
    rows = [row(1, 0.4), row(2, 0.6), row(4, 0.701), row(16, 0.8), row(9, 0.3)]
    assert edge_front_rows.knee(rows) is rows[2]
    rows[1] = row(2, 0.61)
    assert edge_front_rows.knee(rows) is rows[1]


@pytest.mark.parametrize(
    ("rows", "best"),
    [
        ([row(1, 0.4)], 0),
        # None is above the line: the most accurate.
        ([row(1, 0.4), row(4, 0.8)], 1),
        ([row(1, 0.4), row(2, 0.5), row(4, 0.8)], 2),
        # Of equals the smallest file.
        ([row(2, 0.6, 9), row(2, 0.6, 5), row(2, 0.6, 7)], 1),
    ],
)
def test_the_knee_where_no_row_is_above_the_others(rows, best):
    assert edge_front_rows.knee(rows) is rows[best]


def test_marks_and_table():
    rows = [row(1, 0.4), row(2, 0.7312), row(16, 0.8, quantization="none"), row(9, 0.3)]
    document = {
        "protocol": "bas", "split": "val", "num_images": 500, "score_threshold": 0.42,
        "num_threads": 2, "rows": edge_front_rows.marked(rows),
    }  # fmt: skip
    marks = [(r["on_front"], r["is_knee"]) for r in document["rows"]]
    assert marks == [(True, False), (True, True), (True, False), (False, False)]
    lines = edge_front.front_table(document).splitlines()
    assert lines[0].startswith("Protocol bas, split val, 500 images, threshold 0.42;")
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[4:8]]
    assert cells[1] == ["linear", "96", "int8", *["73.1"] * 4, "1.0", "2.00", "knee"]
    assert [row[-1] for row in cells] == ["yes", "knee", "yes", ""]
    assert lines[-1] == "Knee of latency and mean IoU: linear, 96 pixels, int8"
    assert {line.count("|") for line in lines[2:8]} == {11}


@pytest.mark.parametrize("size", ["abc", "100", "0", "-32", ""])
def test_a_size_that_no_network_takes(size):
    with pytest.raises(UserError, match=f"--sizes: '{size}'"):
        edge_front.parse_sizes(["96", size])


def full_front() -> list[dict]:
    """Two heads, four sizes, four quantizations; float32 and float16 nearly alike."""
    quantizations = {"none": (1, 1), "float16": (1.01, 2), "dynamic": (0.8, 4)}
    quantizations["int8"] = (0.6, 4)
    rows = [
        row(
            3 * factor * (size / 96) ** 2, 0.2 + 0.1 * np.log(size) - 0.001 * share,
            int(13e6 / share), head=head, size=size, quantization=quantization,
        )
        for head in ("linear", "separable")
        for size in (96, 128, 160, 224)
        for quantization, (factor, share) in quantizations.items()
    ]  # fmt: skip
    for one in rows[16:]:
        one.update(
            p50_ms=1.2 * one["p50_ms"],
            predicted_map_iou=one["predicted_map_iou"] + 0.01,
        )
    return edge_front_rows.marked(rows)


def test_the_figure_has_every_point_and_its_label_in_both_panels():
    rows = full_front()
    figure = edge_front_plot.front_figure(rows)
    assert len(figure.axes) == 2
    for axes, key in zip(
        figure.axes, ("predicted_map_iou", "predicted_map_loc"), strict=True
    ):
        points = {tuple(np.round(c.get_offsets()[0], 6)) for c in axes.collections}
        assert points == {(round(r["p50_ms"], 6), round(100 * r[key], 6)) for r in rows}
        labels = sorted(text.get_text() for text in axes.texts)
        assert labels == sorted(str(r["size"]) for r in rows)
    (line,) = figure.axes[0].get_lines()
    front = edge_front_rows.pareto_front(
        rows, costs=("p50_ms",), accuracy="predicted_map_iou"
    )
    np.testing.assert_allclose(
        line.get_xydata(), [(r["p50_ms"], 100 * r["predicted_map_iou"]) for r in front]
    )


def test_no_label_of_a_head_hides_another_one():
    figure = edge_front_plot.front_figure(edge_front_rows.marked(full_front()[:16]))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    for axes in figure.axes:
        boxes = [Text.get_window_extent(text, renderer) for text in axes.texts]
        for i, box in enumerate(boxes):
            assert axes.bbox.containsx(box.x0) and axes.bbox.containsy(box.y1)
            assert not any(box.overlaps(other) for other in boxes[:i])


def test_the_figure_of_a_single_file():
    figure = edge_front_plot.front_figure(edge_front_rows.marked([row(2, 0.6)]))
    assert [text.get_text() for text in figure.axes[0].texts] == ["96"]


@pytest.fixture
def tiny_config(tmp_path) -> str:
    """A config file of one step on eight drawings."""
    path = tmp_path / "tiny.py"
    path.write_text(
        "from bas_tf.configs import demo\n\n\n"
        "def get_config(variant):\n"
        "    config = demo.get_config('quicktest')\n"
        "    config.data.num_images = {'train': 8, 'val': 8, 'test': 8}\n"
        "    config.data.batch_size = 8\n"
        "    config.train.epochs, config.train.classifier_epochs = 1, 0\n"
        "    config.eval.split = 'val'\n"
        "    config.export.calibration_images = 2\n"
        "    config.model.width = 0.125\n"
        "    return config\n"
    )
    return str(path)


@pytest.mark.slow
def test_the_whole_front_on_drawings_goes_on_where_it_stopped(tmp_path, tiny_config):
    options = {"config_name": tiny_config, "data": ""}
    candidate = edge_front.Candidate("linear", 64, tmp_path / "runs" / "linear_64")
    edge_front.train(candidate, *options.values())
    document = edge_front.measure_front([candidate], **options)
    assert (document["protocol"], document["split"]) == ("bas", "val")
    places = [(r["head"], r["size"], r["quantization"]) for r in document["rows"]]
    quantizations = ("none", "float16", "dynamic", "int8")
    assert places == [("linear", 64, quantization) for quantization in quantizations]
    for one in document["rows"]:
        file = candidate.file(one["quantization"])
        assert one["size_bytes"] == file.stat().st_size
        assert 0 < one["p50_ms"] <= one["p95_ms"]
    assert sum(r["is_knee"] for r in document["rows"]) == 1
    json.dumps(document, allow_nan=False)

    evaluated = candidate.workdir / "evaluated" / "int8.json"
    written = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/*/*")}
    evaluated.unlink()
    again = edge_front.measure_front([candidate], **options)
    figures = [[r[key] for key in edge_front.COLUMNS] for r in document["rows"]]
    assert [[r[key] for key in edge_front.COLUMNS] for r in again["rows"]] == figures
    changed = {path for path, t in written.items() if path.stat().st_mtime_ns != t}
    assert changed == {evaluated}

    moved = edge_front.Candidate("linear", 96, candidate.workdir)
    with pytest.raises(UserError, match=r"crop_size=\[64, 64\], the config says \[96"):
        edge_front.measure_front([moved], **options)
