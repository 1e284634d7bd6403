"""The ablation's table: caption, columns, percent, alignment."""

from bas_tf.report.ablation_table import FIGURES, ablation_table

FIXED = {"score_threshold": 0.42, **dict.fromkeys(FIGURES, 0.5)}
ORACLE = {"score_threshold": 0.3, **dict.fromkeys(FIGURES, 0.625)}


def document(**changes) -> dict:
    row = {
        "name": "ce", "terms": "L_ce", "top_k": 1, "top1_acc": 0.9876,
        "mean_map": 0.25, "at": {"fixed": FIXED, "oracle": ORACLE}, **changes,
    }  # fmt: skip
    return {
        "protocol": "bas", "split": "val", "num_images": 167, "config": "configs/x.py",
        "seed": 3, "rows": [row, {**row, "name": "full", "terms": "L_bas + 1 L_ac"}],
    }  # fmt: skip


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_column_is_named_and_every_figure_in_its_column():
    header, rule, first, second = ablation_table(document()).splitlines()[2:]
    figures = dict(zip(cells(header), cells(first), strict=True))
    assert figures == {
        "row": "ce", "added to L_cls": "L_ce", "top-k": "1",
        "fixed t": "0.42", "fixed GT-known": "50.0", "fixed IoU 0.7": "50.0",
        "fixed mean IoU": "50.0", "fixed Top-1 Loc": "50.0",
        "oracle t": "0.30", "oracle GT-known": "62.5", "oracle IoU 0.7": "62.5",
        "oracle mean IoU": "62.5", "oracle Top-1 Loc": "62.5",
        "Top-1 accuracy": "98.8", "mean map": "25.0",
    }  # fmt: skip
    assert cells(second)[:2] == ["full", "L_bas + 1 L_ac"]
    assert set(rule) == set("|-: ")
    assert len({len(line) for line in (header, rule, first, second)}) == 1


def test_the_caption_says_how_it_was_measured():
    caption = ablation_table(document()).splitlines()[0]
    for said in ("Protocol `bas`", "split `val`", "167 images", "`configs/x.py`",
                 "seed 3", "fixed: ", "oracle: ", "on this very split"):  # fmt: skip
        assert said in caption
    assert "val-optimal" not in caption


def test_a_chosen_threshold_names_the_split_it_comes_from():
    table = ablation_table(document(at={"val-optimal": FIXED, "oracle": ORACLE}))
    assert "best for the row's GT-known Loc on `val`" in table
    assert "val-optimal GT-known" in table


def test_a_missing_mean_is_a_dash():
    assert cells(ablation_table(document(mean_map=None)).splitlines()[-1])[-1] == "–"
