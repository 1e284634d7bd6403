"""The page: self-contained, escaped, complete, written whole or not at all."""

import base64

import cv2
import numpy as np
import pytest

from bas_tf.report import breakdown, page, table
from bas_tf.report.cases import Case
from bas_tf.report.plots import curves
from tests.report.parsed_html import Parsed, assert_self_contained

_NASTY = '<b>&"x"</b>'


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
        confidences=np.array([0.65, 0.65, 0.68, 0.1]),
        kinds=np.array(kinds),
        class_names=[_NASTY, *(f"class {i}" for i in range(1, classes))],
        draw_cases=lambda chosen: [_case(100 + i, 0.75) for i in chosen],
    )


def _arguments(**changes):
    row = {
        "name": "keras", "top1_loc": 0.861, "top5_loc": None, "gt_known_loc": 0.8789,
        "mean_iou": 0.7123, "size_bytes": 4_123_456,
    }  # fmt: skip
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
        "title": f"A {_NASTY} title",
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
        **changes,
    }


def _written(path, **changes) -> str:
    page.write_report(path, **_arguments(**changes))
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return _written(tmp_path_factory.mktemp("report") / "new" / "report.html")


@pytest.fixture(scope="module")
def parsed(text):
    return Parsed(text)


def test_nothing_comes_from_outside_and_names_are_escaped(text):
    parsed = assert_self_contained(text)
    assert _NASTY not in text
    assert f"A {_NASTY} title" in parsed.text
    assert "<script>" not in text
    assert "loss.beta: 1.5 # <script>" in parsed.text


def test_numbers_in_the_tables_are_the_given_ones(parsed):
    results = parsed.cells_after("BAS (Keras)", 5)
    assert results == ["86.1 %", "\N{EN DASH}", "87.9 %", "71.2 %", "4.1 MB"]
    metrics = parsed.cells_after("GT-known Loc gt_known_loc", 3)
    assert metrics == ["87.9 %84.8 to 90.4", "64.4 %", "\N{EN DASH}"]
    assert parsed.cells_after("tensorflow", 1) == ["2.21.0"]


def test_facts_name_protocol_threshold_and_origin_above_the_results(parsed):
    facts = page.protocol_facts(_arguments()["metrics"], seed=7)
    assert facts == {
        "Protocol": "bas",
        "A box is right when": "IoU > 0.5",
        "Score threshold": "0.35 (val-optimal)",
        "Split": "test, 512 images",
        "Seed": "7",
    }
    refined = {**_arguments()["metrics"], "refine": "grabcut"}
    assert page.protocol_facts(refined, seed=7)["Boxes"] == "boxes refined by grabcut"
    above = parsed.text[: parsed.text.index("BAS (Keras)")]
    assert all(fact in above for fact in facts.values())


def test_classes_of_label_maps_are_listed_by_their_iou(parsed, tmp_path):
    ious = {
        "emu": None,
        _NASTY: 0.5,
        "dog": 0.25,
        **{f"class {i}": 1 for i in range(20)},
    }
    metrics = {**_arguments()["metrics"], "background_iou": 0.9, "class_ious": ious}
    found = Parsed(_written(tmp_path / "report.html", metrics=metrics))
    rows = ["background", "90.0 %", "dog", "25.0 %", _NASTY, "50.0 %"]
    assert found.cells_after("IoU", 6) == rows
    assert "2 more classes, not shown here." in found.text
    assert "Label maps" in found.text and "Label maps" not in parsed.text


def test_pictures_have_alternative_text_and_their_own_pixels(parsed):
    images = parsed.attributes("img")
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
    assert labels[0].startswith("Top-1 accuracy over the probability")
    assert labels[1].startswith("Mean IoU over the confidence of the box")
    assert labels[2:] == ["Losses over steps"]
    assert sum(tag == "svg" for tag, _ in parsed.tags) == 3


def test_kinds_of_errors_add_up_to_the_images_with_boxes(parsed):
    assert parsed.cells_after("Right", 2) == ["2", "66.7 %"]
    assert parsed.cells_after("Wrong class", 2) == ["1", "33.3 %"]
    assert parsed.cells_after("Box elsewhere", 2) == ["0", "0.0 %"]
    assert parsed.cells_after("All with a true box", 2) == ["3", "100.0 %"]
    assert "Right: 2 of 2" in parsed.text


def test_classes_confusions_and_the_score_are_shown(parsed):
    # Of class 1 one image has a box, and its class is wrong; it comes first.
    assert parsed.cells_after("Top-1 accuracy", 7) == [
        "class 1", "2", "1", "0.0 %", "100.0 %", "75.0 %", "0.0 %",
    ]  # fmt: skip
    assert parsed.cells_after(_NASTY, 6)[:3] == ["2", "2", "100.0 %"]
    assert "1 class has no image in this split." in parsed.text
    assert "2 of 4 images have the right class." in parsed.text
    assert parsed.cells_after("of the true class", 8) == [
        "class 1", _NASTY, "1", "50.0 %", "class 1", "no class", "1", "50.0 %",
    ]  # fmt: skip
    # (|1 - 0.75| + |0 - 0.35| + |1 - 0.95|) / 3
    assert "Expected calibration error: 21.7 %" in parsed.text
    assert "1 image has no score and is in no bin." in parsed.text
    assert parsed.cells_after("0.3 to 0.4", 3) == ["1", "35.0 %", "0.0 %"]


def test_confidences_are_compared_with_the_ious_of_images_with_boxes(parsed):
    # 0.65, 0.65 and 0.68 in one bin, all of IoU 0.75
    assert "Expected calibration error: 9.0 %, the same of each box" in parsed.text


def test_every_header_cell_says_what_it_heads(parsed):
    assert {head.get("scope") for head in parsed.attributes("th")} == {"col", "row"}


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
    text = _written(tmp_path / "report.html", broken_down=broken_down)
    assert "25 more classes, not shown here." in text
    assert "35 more pairs of classes with 35 images." in text
    assert "Confusion matrix" not in text
    assert "No image of this split has a true box: boxes are not evaluated." in text


def test_a_failed_rendering_leaves_the_old_report_and_nothing_else(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("the old report")
    with pytest.raises(cv2.error):
        page.write_report(path, **_arguments(panels=["not a case"]))
    assert path.read_text() == "the old report"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


OF_BOXES = (
    "Best and worst boxes", "Highest IoU", "Lowest IoU", "green dashes",
    "CAM and the centre box are shown",
)  # fmt: skip


def test_a_split_without_true_boxes_shows_its_classes_alone(tmp_path):
    row = {**dict.fromkeys(table.COLUMNS), "name": "keras"}
    text = _written(
        tmp_path / "report.html",
        rows=[{**row, "top1_acc": 0.988, "top5_acc": 1.0}],
        panels=[_case(10, np.nan)],
        best=[],
        worst=[],
        broken_down=_broken_down(kinds=("", "", "", "")),
    )
    parsed = Parsed(text)
    assert parsed.cells[1:4] == ["Top-1 accuracy", "Top-5 accuracy", "Size"]
    results = parsed.cells_after("BAS (Keras)", 3)
    assert results == ["98.8 %", "100.0 %", "\N{EN DASH}"]
    assert "The lowest Top-1 accuracy first." in parsed.text
    assert not [said for said in OF_BOXES if said in parsed.text]
    alt = parsed.attributes("img")[0]["alt"]
    assert alt.endswith("no true box: box, CAM, foreground map")


def test_a_split_with_true_boxes_says_how_they_are_shown(parsed):
    assert "The lowest Top-1 Loc first." in parsed.text
    assert all(said in parsed.text for said in OF_BOXES)


def test_a_run_without_boxes_pictures_or_curves_still_has_a_page(tmp_path):
    empty = {"panels": [], "best": [], "worst": [], "curves": {}}
    assert "title" in Parsed(_written(tmp_path / "report.html", **empty)).text
