"""The page: self-contained, escaped, complete, written whole or not at all."""

import base64
from html.parser import HTMLParser

import cv2
import jinja2
import numpy as np
import pytest

from bas_tf.report import breakdown, page, table
from bas_tf.report.cases import Case
from bas_tf.report.plots import curves

_VOID = {"meta", "img", "link", "br", "hr", "input"}
_NASTY = '<b>&"x"</b>'


class _Checker(HTMLParser):
    """Checks nesting; collects attributes, the text and the tables' cells."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.cells, self.text = [], [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("td", "th"):
            self.cells.append("")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data


def _case(shade, iou):
    picture = np.full((8, 24, 3), shade, np.uint8)
    return Case(picture, _NASTY, "viceroy", 0.83, iou)


def _broken_down(kinds=("correct", "wrong_class", "correct", ""), classes=3):
    """Four images of the first two classes; the second is taken for the first."""
    labels = np.array([0, 1, 0, 1])
    return breakdown.break_down(
        labels=labels,
        class_ids=np.array([0, 0, 0, -1]),
        scores=np.array([0.75, 0.35, 0.95, np.nan]),
        ious=np.where(np.array(kinds) == "", np.nan, 0.75),
        kinds=np.array(kinds),
        class_names=[_NASTY, *(f"class {i}" for i in range(1, classes))],
        draw_cases=lambda chosen: [_case(100 + i, 0.75) for i in chosen],
    )


def _arguments(**changes):
    row = {
        "name": "keras",
        "top1_loc": 0.861,
        "top5_loc": None,
        "gt_known_loc": 0.8789,
        "mean_iou": 0.7123,
        "size_bytes": 4_123_456,
    }
    metrics = {
        "protocol": "bas",
        "split": "test",
        "num_images": 512,
        "score_threshold": 0.35,
        "threshold_origin": "val-optimal",
        "metrics": {"gt_known_loc": 0.8789, "cam/gt_known_loc": 0.644},
        "intervals_95": {"gt_known_loc": [0.848, 0.904]},
    }
    log = [{"step": i, "loss": 1 / (i + 1)} for i in range(5)]
    return {
        "title": "A title",
        "rows": [row],
        "metrics": metrics,
        "panels": [_case(10 * i, 0.5) for i in range(16)],
        "best": [_case(200, 0.96)],
        "worst": [_case(220, 0.04)],
        "broken_down": _broken_down(),
        "curves": curves.loss_curves(log),
        "config_text": "loss.beta: 1.5 # <script>",
        "versions": {"tensorflow": "2.21.0"},
        "seed": 7,
        "notes": [f"Class {_NASTY} is hard."],
        **changes,
    }


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "new" / "report.html"
    page.write_report(path, **_arguments())
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def parsed(text):
    checker = _Checker()
    checker.feed(text)
    checker.close()
    return checker


def test_every_element_is_closed(parsed):
    assert parsed.open == []
    assert parsed.tags[0][0] == "html"


def test_nothing_comes_from_outside_and_nothing_runs(text, parsed):
    assert "http:" not in text
    assert "https:" not in text
    assert "@import" not in text
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in parsed.tags}
    for _, attributes in parsed.tags:
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("xlink:href", "#").startswith("#")
        assert "href" not in attributes
        assert not [name for name in attributes if name.startswith("on")]


def test_names_are_escaped(text, parsed):
    assert _NASTY not in text
    assert f"Class {_NASTY} is hard." in parsed.text
    assert "<script>" not in text
    assert "loss.beta: 1.5 # <script>" in parsed.text


def _cells_after(parsed, first, count):
    start = parsed.cells.index(first) + 1
    return parsed.cells[start : start + count]


def test_numbers_in_the_tables_are_the_given_ones(parsed):
    results = _cells_after(parsed, "BAS (Keras)", 5)
    assert results == ["86.1 %", "\N{EN DASH}", "87.9 %", "71.2 %", "4.1 MB"]
    metrics = _cells_after(parsed, "GT-known Loc gt_known_loc", 3)
    assert metrics == ["87.9 %84.8 to 90.4", "64.4 %", "\N{EN DASH}"]
    assert _cells_after(parsed, "tensorflow", 1) == ["2.21.0"]


def test_facts_are_printed_above_the_results(parsed):
    above = parsed.text[: parsed.text.index("BAS (Keras)")]
    for fact in ("bas", "IoU > 0.5", "0.35 (val-optimal)", "test, 512 images"):
        assert fact in above


def test_facts_name_protocol_threshold_and_origin():
    facts = page.protocol_facts(_arguments()["metrics"], seed=7)
    assert facts == {
        "Protocol": "bas",
        "A box is right when": "IoU > 0.5",
        "Score threshold": "0.35 (val-optimal)",
        "Split": "test, 512 images",
        "Seed": "7",
    }


def test_pictures_have_alternative_text_and_their_own_pixels(parsed):
    images = [attributes for tag, attributes in parsed.tags if tag == "img"]
    assert len(images) == 16 + 1 + 1 + 3 + 1  # the last is the confusion matrix
    assert images.pop()["alt"].startswith("Confusion matrix of 3 classes, true classes")
    for attributes in images:
        assert attributes["alt"].startswith(f"{_NASTY}, predicted viceroy 0.83, IoU ")
        assert (attributes["width"], attributes["height"]) == ("24", "8")
    shades = []
    for attributes in images:
        content = base64.b64decode(attributes["src"].split(",")[1])
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        shades.append(pixels.mean())
    expected = [*range(0, 160, 10), 200, 220, 100, 102, 101]
    np.testing.assert_allclose(shades, expected, atol=2)
    assert "IoU 0.96" in images[16]["alt"]
    assert "IoU 0.04" in images[17]["alt"]


def test_curves_are_inline_and_labelled(parsed):
    labels = [a["aria-label"] for _, a in parsed.tags if a.get("role") == "img"]
    assert labels[0].startswith("Accuracy over the probability")
    assert labels[1:] == ["Losses over steps"]
    assert sum(tag == "svg" for tag, _ in parsed.tags) == 2


def test_kinds_of_errors_add_up_to_the_images_with_boxes(parsed):
    assert _cells_after(parsed, "Right", 2) == ["2", "66.7 %"]
    assert _cells_after(parsed, "Wrong class", 2) == ["1", "33.3 %"]
    assert _cells_after(parsed, "Box elsewhere", 2) == ["0", "0.0 %"]
    assert _cells_after(parsed, "All with a true box", 2) == ["3", "100.0 %"]
    assert "Right: 2 of 2" in parsed.text


def test_classes_confusions_and_the_score_are_told(parsed):
    # Of class 1 one image has a box, and its class is wrong; it comes first.
    start = parsed.cells.index("Top-1 accuracy") + 1
    assert parsed.cells[start : start + 7] == [
        "class 1", "2", "1", "0.0 %", "100.0 %", "75.0 %", "0.0 %",
    ]  # fmt: skip
    assert _cells_after(parsed, _NASTY, 6)[:3] == ["2", "2", "100.0 %"]
    assert "1 class has no image in this split." in parsed.text
    assert "2 of 4 images have the right class." in parsed.text
    start = parsed.cells.index("of the true class") + 1
    assert parsed.cells[start : start + 8] == [
        "class 1", _NASTY, "1", "50.0 %", "class 1", "no class", "1", "50.0 %",
    ]  # fmt: skip
    # (|1 - 0.75| + |0 - 0.35| + |1 - 0.95|) / 3
    assert "Expected calibration error: 21.7 %" in parsed.text
    assert "1 image has no score and is in no bin." in parsed.text
    assert _cells_after(parsed, "0.3 to 0.4", 3) == ["1", "35.0 %", "0.0 %"]


def test_every_header_cell_says_what_it_heads(parsed):
    scopes = [attributes.get("scope") for tag, attributes in parsed.tags if tag == "th"]
    assert set(scopes) == {"col", "row"}


def test_many_classes_are_cut_with_their_number_and_have_no_matrix(tmp_path):
    n = 45
    broken_down = breakdown.break_down(
        labels=np.arange(n),
        class_ids=np.roll(np.arange(n), 1),
        scores=np.full(n, 0.5),
        ious=np.full(n, np.nan),
        kinds=np.full(n, ""),
        class_names=[f"class {i}" for i in range(n)],
        draw_cases=lambda chosen: [],
    )
    path = tmp_path / "report.html"
    page.write_report(path, **_arguments(broken_down=broken_down))
    text = path.read_text(encoding="utf-8")
    assert "25 more classes, not shown here." in text
    assert "35 more pairs of classes with 35 images." in text
    assert "Confusion matrix" not in text
    assert "No image of this split has a true box: boxes are not evaluated." in text


def test_a_failed_rendering_leaves_the_old_report_and_nothing_else(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("the old report")
    with pytest.raises(jinja2.UndefinedError):
        page.write_report(path, **_arguments(panels=["not a case"]))
    assert path.read_text() == "the old report"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def _written(path, **changes):
    page.write_report(path, **_arguments(**changes))
    checker = _Checker()
    checker.feed(path.read_text(encoding="utf-8"))
    assert checker.open == []
    return checker


def test_a_split_without_true_boxes_is_told_by_its_classes_alone(tmp_path):
    row = {**dict.fromkeys(table.COLUMNS), "name": "keras"}
    parsed = _written(
        tmp_path / "report.html",
        rows=[{**row, "top1_acc": 0.988, "top5_acc": 1.0}],
        panels=[_case(10, np.nan)],
        best=[],
        worst=[],
        broken_down=_broken_down(kinds=("", "", "", "")),
    )
    assert parsed.cells[1:4] == ["Top-1 accuracy", "Top-5 accuracy", "Size"]
    results = _cells_after(parsed, "BAS (Keras)", 3)
    assert results == ["98.8 %", "100.0 %", "\N{EN DASH}"]
    assert "The lowest Top-1 accuracy first." in parsed.text
    for said in (
        "Best and worst boxes", "Highest IoU", "Lowest IoU", "green dashes",
        "CAM and the centre box are shown",
    ):  # fmt: skip
        assert said not in parsed.text
    pictures = [a["alt"] for tag, a in parsed.tags if tag == "img"]
    assert pictures[0].endswith("no true box: box, CAM, foreground map")


def test_a_split_with_true_boxes_says_how_they_are_shown(parsed):
    for said in (
        "Best and worst boxes", "Highest IoU", "Lowest IoU", "green dashes",
        "CAM and the centre box are shown", "The lowest Top-1 Loc first.",
    ):  # fmt: skip
        assert said in parsed.text


def test_a_run_without_boxes_pictures_or_curves_still_has_a_page(tmp_path):
    empty = {"panels": [], "best": [], "worst": [], "curves": {}, "notes": []}
    page.write_report(tmp_path / "report.html", **_arguments(**empty))
    checker = _Checker()
    checker.feed((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert checker.open == []
    assert "A title" in checker.text
