"""The own-data layout, with real files; every mistake answered in one line."""

import numpy as np
import pytest
from PIL import Image

from bas_tf.data.folder import FolderSource
from bas_tf.errors import DataError


def test_labels_come_from_folder_names_and_boxes_from_the_csv(photo_folder):
    source = FolderSource(root=str(photo_folder))
    assert source.class_names == ("cat", "dog")
    records = source.records("val")
    assert [r.image_id for r in records] == [
        "val/cat/0.jpg", "val/cat/1.jpg", "val/dog/0.jpg", "val/dog/1.jpg",
    ]  # fmt: skip
    assert [r.label for r in records] == [0, 0, 1, 1]
    np.testing.assert_array_equal(records[3].boxes_original, [[14, 20, 34, 40]])
    image = records[3].load_image()
    assert image.shape == (60, 80, 3)
    assert image.dtype == np.uint8
    # The drawn square is where its box says: bright inside, dark outside.
    assert image[22:38, 16:32, 1].min() > 200
    assert image[:16, :, 1].max() < 70


def test_several_rows_are_several_true_boxes(photo_folder):
    with open(photo_folder / "boxes.csv", "a") as file:
        file.write("val/cat/0.jpg,0,0,5,6\n")
    record = FolderSource(root=str(photo_folder)).records("val")[0]
    np.testing.assert_array_equal(
        record.boxes_original, [[10, 20, 30, 40], [0, 0, 5, 6]]
    )


def test_masks_are_found_beside_the_photos(photo_folder):
    folder = photo_folder / "masks" / "val" / "cat"
    folder.mkdir(parents=True)
    mask = np.zeros([60, 80], np.uint8)
    mask[20:40, 10:30] = 255
    mask[:5] = 128
    Image.fromarray(mask).save(folder / "0.png")
    with_mask, without = FolderSource(root=str(photo_folder)).records("val")[:2]
    np.testing.assert_array_equal(with_mask.load_mask(), mask)
    assert without.load_mask is None


def test_a_models_class_order_wins(photo_folder):
    source = FolderSource(root=str(photo_folder), class_names=("dog", "bird", "cat"))
    assert [r.label for r in source.records("val")] == [0, 0, 2, 2]


def test_missing_root_is_named():
    with pytest.raises(DataError, match="data.root is '/nowhere'"):
        FolderSource(root="/nowhere")


def test_missing_split_is_named(photo_folder):
    with pytest.raises(DataError, match="photos/test: no such split.*train, val"):
        FolderSource(root=str(photo_folder)).records("test")


def test_empty_class_folder_is_named(photo_folder):
    (photo_folder / "train" / "emu").mkdir()
    with pytest.raises(DataError, match="train/emu: no images in this class folder"):
        FolderSource(root=str(photo_folder)).records("train")


def test_unknown_class_in_a_split_is_named(photo_folder):
    (photo_folder / "val" / "emu").mkdir()
    with pytest.raises(DataError, match="val/emu: not one of the 2 classes"):
        FolderSource(root=str(photo_folder)).records("val")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("val/cat/9.jpg,1,2,3,4", "names 'val/cat/9.jpg', which is not in"),
        ("val/cat/0.jpg,1,2,x,4", "val/cat/0.jpg: a box is four numbers"),
        ("val/cat/0.jpg,5,2,5,4", "val/cat/0.jpg: box .* is empty or inverted"),
        ("val/cat/0.jpg,1,2,nan,4", "val/cat/0.jpg: box .* is empty or inverted"),
        ("val/cat/0.jpg,1,2", "val/cat/0.jpg: a box is four numbers"),
    ],
)
def test_a_wrong_box_line_is_named(photo_folder, line, message):
    with open(photo_folder / "boxes.csv", "a") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match=message):
        FolderSource(root=str(photo_folder))


def test_a_box_file_with_other_columns_is_named(photo_folder):
    (photo_folder / "boxes.csv").write_text("file,x,y,w,h\n")
    with pytest.raises(DataError, match=r"boxes.csv: first line is 'file,x,y,w,h'"):
        FolderSource(root=str(photo_folder))
