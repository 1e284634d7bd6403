"""The page: self-contained, escaped, complete, written whole or not at all."""

import base64
from html.parser import HTMLParser

import cv2
import jinja2
import numpy as np
import pytest

from bas_tf.report import curves, page
from bas_tf.report.cases import Case

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
    assert len(images) == 16 + 1 + 1
    for attributes in images:
        assert attributes["alt"].startswith(f"{_NASTY}, predicted viceroy 0.83, IoU ")
        assert (attributes["width"], attributes["height"]) == ("24", "8")
    shades = []
    for attributes in images:
        content = base64.b64decode(attributes["src"].split(",")[1])
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        shades.append(pixels.mean())
    np.testing.assert_allclose(shades, [*range(0, 160, 10), 200, 220], atol=2)
    assert "IoU 0.96" in images[16]["alt"]
    assert "IoU 0.04" in images[17]["alt"]


def test_curves_are_inline_and_labelled(parsed):
    labels = [a["aria-label"] for _, a in parsed.tags if a.get("role") == "img"]
    assert labels == ["Losses over steps"]
    assert sum(tag == "svg" for tag, _ in parsed.tags) == 1


def test_a_failed_rendering_leaves_the_old_report_and_nothing_else(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("the old report")
    with pytest.raises(jinja2.UndefinedError):
        page.write_report(path, **_arguments(panels=["not a case"]))
    assert path.read_text() == "the old report"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_a_run_without_boxes_pictures_or_curves_still_has_a_page(tmp_path):
    empty = {"panels": [], "best": [], "worst": [], "curves": {}, "notes": []}
    page.write_report(tmp_path / "report.html", **_arguments(**empty))
    checker = _Checker()
    checker.feed((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert checker.open == []
    assert "A title" in checker.text
