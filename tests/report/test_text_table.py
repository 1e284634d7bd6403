"""Tables as text: aligned columns, and no cell that ends another."""

from bas_tf.report import text_table


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
