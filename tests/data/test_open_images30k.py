"""OpenImages30k: labels from the tables, one mask from instances and ignore mask."""

import numpy as np
import pytest

from bas_tf.data.sources.open_images30k import OpenImages30kSource
from bas_tf.errors import DataError
from tests.data import tiny_sets


@pytest.fixture
def open_images(tmp_path):
    return tiny_sets.make_open_images(tmp_path)


@pytest.fixture
def val_tables(open_images):
    return open_images / "metadata/OpenImages/val"


def test_labels_come_from_the_tables_and_names_from_the_folders(open_images):
    source = OpenImages30kSource(root=str(open_images))
    assert source.class_names == ("01226z", "0138tl", "014j1m")
    assert source.splits == ("train", "val")
    train, val = source.records("train"), source.records("val")
    assert [r.label for r in train] == [0, 0, 1, 1, 2, 2]
    assert [r.image_id for r in val] == [
        "val/01226z/00fa.jpg", "val/0138tl/10fa.jpg", "val/014j1m/20fa.jpg",
    ]  # fmt: skip
    assert {r.load_mask for r in train} == {None}
    assert {r.boxes_original for r in train + val} == {None}
    box = np.array(tiny_sets.box_of(1, 0))
    tiny_sets.assert_drawn_on_box(val[1].load_image(), box, 1)


def test_a_mask_is_the_union_of_instances_and_open_in_the_rest_of_ignore(open_images):
    """Two instances of 8x10 and 10x10; ignore overlaps the second, which wins."""
    mask = OpenImages30kSource(root=str(open_images)).records("val")[0].load_mask()
    expected = np.zeros([30, 40], np.uint8)
    expected[12:25, 25:35] = 128
    expected[5:15, 4:12] = expected[10:20, 20:30] = 255
    np.testing.assert_array_equal(mask, expected)
    assert mask.dtype == np.uint8
    # 13 x 10 ignored, less the 8 x 5 that the second instance covers
    assert [(mask == v).sum() for v in (255, 128)] == [80 + 100, 130 - 40]


def test_a_mask_keeps_its_own_size(open_images):
    """Published masks have other sizes than their photos."""
    mask = OpenImages30kSource(root=str(open_images)).records("val")[1].load_mask()
    assert mask.shape == (15, 20)
    expected = np.zeros([15, 20], np.uint8)
    expected[3:8, 2:6] = 255  # every second pixel of rows 5 to 14, columns 4 to 11
    np.testing.assert_array_equal(mask, expected)


def test_instances_of_another_size_are_brought_to_the_first(open_images, val_tables):
    """The half-sized mask of the second photo as an instance more of the first's."""
    with open(val_tables / "localization.txt", "a") as file:
        file.write("val/01226z/00fa.jpg,val/0138tl/10fa_m_1a.png,\n")
    mask = OpenImages30kSource(root=str(open_images)).records("val")[0].load_mask()
    assert mask.shape == (30, 40)
    assert (mask == 255).sum() == 180 + 8  # its rows 6 to 15: row 15 is new, 8 wide


@pytest.mark.parametrize("place", ["metadata/{}", "{}"])
def test_the_tables_may_lie_elsewhere(open_images, place):
    for split in ("train", "val"):
        (open_images / place.format(split)).mkdir(parents=True, exist_ok=True)
        for table in (open_images / "metadata/OpenImages" / split).iterdir():
            table.rename(open_images / place.format(split) / table.name)
    records = OpenImages30kSource(root=str(open_images)).records("val")
    assert [r.load_mask is not None for r in records] == [True] * 3


def test_a_missing_mask_file_is_named(open_images):
    (open_images / "val/01226z/00fa_m_2b.png").unlink()
    record = OpenImages30kSource(root=str(open_images)).records("val")[0]
    with pytest.raises(DataError, match="00fa_m_2b.png: no such file"):
        record.load_mask()


@pytest.mark.parametrize(
    ("table", "line", "message"),
    [
        (
            "class_labels.txt",
            "val/x/1.jpg",
            "labels.txt:4: .*the 2 columns image,label",
        ),
        ("class_labels.txt", "val/x/1.jpg,-1", "labels.txt:4: label is '-1'; expected"),
        ("class_labels.txt", "val/x/1.jpg,0", "label 0 is of 'x' here and of '01226z'"),
        ("localization.txt", "a.jpg,b.png", "txt:5: .* 3 columns image,mask,ignore"),
        ("localization.txt", "a.jpg,,", "localization.txt:5: names no mask"),
        ("localization.txt", "a.jpg,b.png,", "names 'a.jpg', which has no label in"),
        (
            "localization.txt",
            "val/01226z/00fa.jpg,b.png,c.png",
            "txt:5: a second ignore mask of val/01226z/00fa.jpg",
        ),
    ],
)
def test_a_wrong_line_is_named(open_images, val_tables, table, line, message):
    with open(val_tables / table, "a") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match=message):
        OpenImages30kSource(root=str(open_images)).records("val")


def test_labels_without_gaps_name_the_classes(open_images):
    path = open_images / "metadata/OpenImages/train/class_labels.txt"
    path.write_text(path.read_text().replace(",2", ",7"))
    with pytest.raises(DataError, match=r"labels are \[0, 1, 7\]… of 3 class folders"):
        OpenImages30kSource(root=str(open_images))
