"""Tables as text: aligned columns, and no cell that ends another."""

from bas_tf.report import text_table
from bas_tf.report.ablation_table import ablation_table
from tests.report.test_ablation_table import document


def test_names_stand_left_and_numbers_right():
    rows = [["", "val", "train"], ["images", "4", "12"], ["by class", "", ""]]
    assert text_table.aligned(rows).split("\n") == [
        "          val  train",
        "images      4     12",
        "by class",
    ]


def test_markdown_says_where_a_column_stands_and_escapes_bars():
    rows = [["run", "what", "IoU"], ["a|b", "long name", "1"]]
    assert text_table.markdown(rows).split("\n") == [
        "| run  |      what | IoU |",
        "| ---- | --------: | --: |",
        r"| a\|b | long name |   1 |",
    ]
    assert text_table.markdown(rows, text_columns=2).split("\n") == [
        "| run  | what      | IoU |",
        "| ---- | --------- | --: |",
        r"| a\|b | long name |   1 |",
    ]


def test_a_bar_in_a_row_of_the_ablation_ends_no_cell():
    assert r"| a\|b " in ablation_table(document(name="a|b"))
