"""The table of classes: figures by hand, order, and the CSV file."""

import csv
import io

import numpy as np

from bas_tf.report import class_table

NAMES = ("ant", "bee, wild", "cat", "dog", "emu")


def rows_of(*, ious):
    """Two ants, two bees, one cat, one dog; no emu. The class of bee 2 is wrong."""
    return class_table.class_rows(
        labels=np.array([0, 0, 1, 1, 2, 3]),
        is_class_right=np.array([True, True, True, False, True, True]),
        ious=np.array(ious),
        class_names=NAMES,
    )


def test_figures_by_hand_and_the_worst_first():
    rows = rows_of(ious=[0.75, 0.25, 0.5, 0.625, 1.0, np.nan])
    # Ant: one of two boxes. Bees: 0.5 is not above 0.5, the other's class is wrong.
    # Nothing is known of the dog's box, and there is no emu.
    assert [row.name for row in rows] == ["bee, wild", "ant", "cat", "dog", "emu"]
    bee, ant, cat, dog, emu = rows
    assert bee.cells == ["2", "2", "0.0 %", "50.0 %", "56.2 %", "50.0 %"]
    assert ant.cells == ["2", "2", "50.0 %", "50.0 %", "50.0 %", "100.0 %"]
    assert cat.cells == ["1", "1", "100.0 %", "100.0 %", "100.0 %", "100.0 %"]
    missing = "\N{EN DASH}"
    assert dog.cells == ["1", "0", *[missing] * 3, "100.0 %"]
    assert emu.cells == ["0", "0", *[missing] * 4]


def test_without_boxes_the_lowest_accuracy_comes_first():
    rows = rows_of(ious=[np.nan] * 6)
    names = [row.name for row in rows]
    assert names == ["bee, wild", "ant", "cat", "dog", "emu"]
    assert all(row.num_with_boxes == 0 for row in rows)


def test_the_csv_has_every_class():
    rows = rows_of(ious=[0.75, 0.25, 0.5, 1 / 3, 1.0, np.nan])
    read = list(csv.DictReader(io.StringIO(class_table.class_csv(rows))))
    assert [row["class"] for row in read] == [row.name for row in rows]
    bee = read[0]
    assert (bee["images"], bee["images_with_boxes"]) == ("2", "2")
    assert bee["mean_iou"] == "0.416666667"
    assert bee["top1_loc"] == "0"
    assert list(read[-1].values()) == ["emu", "0", "0", "", "", "", ""]
