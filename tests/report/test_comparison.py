"""The comparison's tables and page: cells, what is kept apart, access, escaping."""

import numpy as np
import pytest

from bas_tf.report import comparison_page
from bas_tf.report.cases import Case
from bas_tf.report.compared_images import ComparedImage
from tests.report.parsed_html import Parsed, assert_self_contained

NASTY = '<b>&"x"</b>'
DASH = "\N{EN DASH}"


def run_row(name: str, **changes) -> dict:
    return {
        "name": name, "path": f"runs/{name}", "seed": 3, "protocol": "bas",
        "split": "test", "num_images": 40, "score_threshold": 0.8,
        "threshold_origin": "fixed",
        "data": {"data.source": "folder", "data.root": "photos"},
        "settings": {"loss.beta": 1.5, "data.crop_size": [64, 96]},
        "figures": {
            "gt_known_loc": {"value": 0.875, "interval_95": [0.801, 0.932]},
            "top1_acc": {"value": 0.5, "interval_95": None},
        },
        **changes,
    }  # fmt: skip


def same_images(**changes) -> dict:
    figures = run_row("a")["figures"]
    difference = {"gt_known_loc": {"value": 0.03125, "interval_95": [-0.0125, 0.0751]}}
    return {
        "protocol": "bas", "split": "test", "num_images": 40,
        "threshold_origin": "fixed", "num_images_with_boxes": 39, "reference": "a",
        "rows": [
            {"name": "a", "score_threshold": 0.8, "figures": figures,
             "difference": {}},
            {"name": "b|c", "score_threshold": 0.45, "figures": figures,
             "difference": difference},
        ],
        "images": [],
        **changes,
    }  # fmt: skip


def document(**changes) -> dict:
    other = run_row(
        "b|c", settings={"loss.beta": None, "data.crop_size": ""}, seed=None
    )
    return {
        "runs": [run_row("a"), other],
        "groups": [["a", "b|c"]],
        "same_images": same_images(),
        "left_out": None,
        **changes,
    }


def cells_of(table: comparison_page.Table) -> list[dict]:
    return [dict(zip(table.header, row, strict=True)) for row in table.rows]


def test_a_row_says_what_differs_and_each_figure_with_its_interval():
    table, _ = comparison_page.tables(document())
    first, second = cells_of(table)
    assert first == {
        "run": "a", "loss.beta": "1.5", "data.crop_size": "(64, 96)", "seed": "3",
        "threshold": "0.8", "GT-known Loc": "87.5 % (80.1 to 93.2)",
        "Top-1 accuracy": "50.0 %",
    }  # fmt: skip
    assert [second[key] for key in ("loss.beta", "data.crop_size", "seed")] == [
        DASH, '""', DASH,
    ]  # fmt: skip
    assert table.title == "Protocol bas, split test, 40 images, threshold fixed"
    assert "Images: data.source=folder, data.root=photos." in table.note
    assert "does not say" not in table.note


def test_differences_are_next_to_the_figures_with_their_signs():
    _, table = comparison_page.tables(document())
    assert table.header == [
        "run", "threshold", "GT-known Loc", "difference", "Top-1 accuracy",
        "difference",
    ]  # fmt: skip
    assert table.rows == [
        ["a", "0.8", "87.5 % (80.1 to 93.2)", DASH, "50.0 %", DASH],
        ["b|c", "0.45", "87.5 % (80.1 to 93.2)", "+3.1 (-1.2 to +7.5)", "50.0 %", DASH],
    ]
    assert "40 images, 39 with boxes" in table.title
    assert "Differences to a in percentage points" in table.note
    assert "not what another seed" in table.note


def test_each_group_is_its_own_table_and_the_reason_is_given():
    rows = [
        run_row("a"),
        run_row("b", protocol="pxap", data=None, ten_crop_precision="float32",
                refine="grabcut",
                figures={"px_ap": {"value": 0.25, "interval_95": [0.2, 0.3]}}),
    ]  # fmt: skip
    apart = document(runs=rows, groups=[["a"], ["b"]], same_images=None)
    first, second = comparison_page.tables(apart)
    assert [row["run"] for row in cells_of(first) + cells_of(second)] == ["a", "b"]
    assert "ten crops" not in first.title
    assert second.title.endswith("ten crops in float32, boxes refined by grabcut")
    assert "PxAP" not in first.header and "GT-known Loc" not in second.header
    assert "A file of an older version does not say which" in second.note
    (reason,) = comparison_page.notes(apart)
    assert "cannot be compared" in reason
    assert comparison_page.notes(document()) == []


def test_a_split_without_boxes_says_so():
    same = same_images(num_images_with_boxes=0)
    _, table = comparison_page.tables(document(same_images=same))
    assert "Without boxes: classes alone." in table.note


def test_markdown_is_aligned_and_no_name_ends_a_cell():
    text = comparison_page.markdown(document(left_out="Maps are left out."))
    assert text.splitlines()[0] == "# Runs side by side: a, b|c"
    assert "\n\nMaps are left out.\n\n## Protocol bas" in text
    blocks = [block.splitlines() for block in text.split("\n\n") if block[0] == "|"]
    assert len(blocks) == 2
    for block in blocks:
        assert len({len(line) for line in block}) == 1
        assert set(block[1]) == set("|-: ")
        assert block[3].startswith(r"| b\|c |")


def compared_image(name: str = "b") -> ComparedImage:
    picture = np.full([8, 12, 3], 90, np.uint8)
    return ComparedImage(
        image_id="val/viceroy/1.jpg",
        photo=picture,
        answers={
            "a": Case(picture, "viceroy", "viceroy", 0.83, 0.714),
            name: Case(picture, "viceroy", NASTY, 0.5, float("nan")),
        },
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("page") / "new" / "comparison.html"
    sections = {comparison_page.SECTIONS[0]: [compared_image(NASTY)], "Empty": []}
    nasty = document(left_out=f"Reason {NASTY}.")
    comparison_page.write_page(path, nasty, sections)
    return path.read_text(encoding="utf-8")


def test_the_page_needs_nothing_from_outside_and_escapes_names(page):
    parsed = assert_self_contained(page)
    for attributes in parsed.attributes("img"):
        assert attributes["src"].startswith("data:image/jpeg;base64,")
    assert NASTY not in page
    assert "Reason &lt;b&gt;" in page


def test_every_picture_has_words_and_every_head_cell_a_scope(page):
    parsed = Parsed(page)
    assert [image["alt"] for image in parsed.attributes("img")] == [
        "Photo: viceroy",
        "Foreground map and box of a: predicted viceroy 0.83, IoU 0.71",
        f"Foreground map and box of {NASTY}: predicted {NASTY} 0.50, no true box",
    ]
    heads = parsed.attributes("th")
    # Two tables of figures, then the pictures: a column for each run and one more.
    columns = sum(len(table.header) for table in comparison_page.tables(document())) + 3
    assert [head["scope"] for head in heads].count("col") == columns
    assert [head["scope"] for head in heads].count("row") == 2 + 2 + 1
    assert all(table["aria-label"] for table in parsed.attributes("table"))
    assert len(parsed.attributes("h1")) == 1
    assert len(parsed.attributes("h2")) == 3  # "Empty" has no heading
    cells = [" ".join(cell.split()) for cell in parsed.cells]
    assert "apredicted viceroy 0.83, IoU 0.71" in cells
    assert f"{NASTY}predicted {NASTY} 0.50, no true box: wrong class" in cells


def test_the_pages_tables_are_markdowns(page):
    cells = [" ".join(cell.split()) for cell in Parsed(page).cells]
    expected = []
    for table in comparison_page.tables(document()):
        expected += [*table.header, *(cell for row in table.rows for cell in row)]
    assert cells[: len(expected)] == expected
