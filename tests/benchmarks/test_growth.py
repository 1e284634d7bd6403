"""The growth benchmark: its points do what they say, its exponents by hand."""

import io
import math

import numpy as np
import pytest
from PIL import Image

from benchmarks.growth import curves, images_cost, network_cost, plot
from benchmarks.method_speed import ours
from tests.commands import only_error_line, run_command


@pytest.fixture
def any_threads(monkeypatch):
    """TensorFlow has run in this process: it is too late to choose its threads."""
    monkeypatch.setattr(ours, "use_threads", lambda threads: None)


def curve(**changes) -> dict:
    return {
        "axis": "classes", "side": "ours", "task": "train", "values": [10, 100, 1000],
        "seconds": [1.0, 2.0, 8.0], "peak_mib": [100.0, 110.0, 200.0],
        "multiply_adds": [5, 50, 5000], "exponent": math.log10(4),
        "work_exponent": 2.0, "computed": {}, **changes,
    }  # fmt: skip


@pytest.mark.parametrize(
    "values, results, expected",
    [([1, 10, 100], [9, 3, 3], 0), ([2, 4], [5, 10], 1), ([1, 2, 4], [1, 1, 4], 2)],
)
def test_the_exponent_is_that_of_the_last_two_points(values, results, expected):
    assert curves.exponent(values, results) == pytest.approx(expected)


def test_the_table():
    judged = curve(
        axis="images", task="judge", multiply_adds=None, work_exponent=None,
        exponent=1.0, computed={1_000_000: 8000.0},
    )  # fmt: skip
    *_, first, second = curves.table([curve(), judged]).splitlines()
    assert first == (
        "| classes | ours | train | 10 / 100 / 1,000 | 1,000 / 2,000 / 8,000 "
        "| 100 / 110 / 200 | 0.60 | 2.00 |"
    )
    assert "1,000 / 1,000,000 |" in second
    assert "8,000 / 8,000,000 (computed) |" in second
    assert second.endswith("| 1.00 |  |")


def test_the_plot_has_a_panel_for_each_axis():
    drawn = [
        curve(),
        curve(side="plain"),
        curve(axis="images", task="judge", computed={1_000_000: 8000.0}),
    ]
    figure = plot.growth_figure(drawn)
    assert [axes.get_xlabel() for axes in figure.axes] == [
        "classes", "images of a split",
    ]  # fmt: skip
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["train: exponent 0.60", "plain port, train: exponent 0.60"]
    assert Image.open(io.BytesIO(plot.growth_png(drawn))).format == "PNG"


@pytest.mark.parametrize("task", ["first_batch", "batches", "judge"])
def test_the_tasks_on_many_images_run(any_threads, task):
    images_cost.build(task=task, images=70, threads=2)[task]()


def test_the_judge_sees_two_right_classes_of_three(monkeypatch):
    seen = []
    monkeypatch.setattr(
        images_cost.bas_protocol,
        "evaluate_predictions",
        lambda predictions, truth, **_: seen.append((predictions, truth)),
    )
    images_cost.judging(9)()
    ((predictions, truth),) = seen
    right = predictions.class_ids[:, 0] == predictions.labels
    np.testing.assert_array_equal(right, np.arange(9) % 3 > 0)
    assert len(truth.images) == 9


@pytest.mark.slow
@pytest.mark.parametrize("side", ["ours", "plain"])
@pytest.mark.parametrize("task", ["train", "inference"])
def test_the_tasks_of_a_network_run(any_threads, side, task):
    point = {"classes": 3, "size": 32, "batch": 2}
    network_cost.build(side=side, task=task, threads=2, **point)[task]()


@pytest.mark.slow
def test_the_work_of_a_step_grows_as_it_must():
    work = {
        (side, classes): curves.count_work(
            side, "train", {"classes": classes, "size": 64, "batch": 2}
        )
        for side in ("ours", "plain")
        for classes in (100, 200)
    }
    # Each class costs the plain port nine kernels in the generator, thrice; ours none.
    class_maps = 4 * 4 * 1024 * 100 * 2
    ours_grows = work["ours", 200] - work["ours", 100]
    assert ours_grows == 3 * class_maps
    grows = work["plain", 200] - work["plain", 100]
    assert grows == 6 * class_maps + 3 * 8 * 8 * 9 * 512 * 100 * 2


@pytest.mark.slow
def test_a_small_axis_in_processes_of_its_own(monkeypatch):
    monkeypatch.setitem(curves.AXES, "images", (40, 80))
    monkeypatch.setitem(curves.COMPUTED, "judge", (160,))
    monkeypatch.setattr(curves, "TASKS", {"images": ("judge",)})
    (judged,) = curves.measure_axis("images", rounds=1)
    assert judged["values"] == [40, 80]
    expected = judged["seconds"][1] * 2 ** judged["exponent"]
    assert judged["computed"] == {160: pytest.approx(expected)}
    assert all(mib > 100 for mib in judged["peak_mib"])
    assert (judged["side"], judged["multiply_adds"]) == ("ours", None)


def test_an_unknown_axis(tmp_path):
    output = f"--output={tmp_path}/growth.json"
    result = run_command("benchmarks.growth", output, "--axes=classes,pixels")
    expected = "--axes is 'pixels'; known: classes, size, batch, images"
    assert expected in only_error_line(result.stderr)
    assert not list(tmp_path.iterdir())
