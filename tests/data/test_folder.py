"""The own-data layout, with real files; every mistake answered in one line."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from bas_tf.data.sources.folder import FolderSource
from bas_tf.errors import DataError
from bas_tf.jobs import data_check
from tests.data import tiny_sets
from tests.data.tiny_sets import make_cub, write_coco, write_csv


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


def boxes_of(root) -> dict[str, np.ndarray]:
    """Of the val photos."""
    records = FolderSource(root=str(root)).records("val")
    return {record.image_id: record.boxes_original for record in records}


@pytest.mark.parametrize(
    ("added", "boxes"),
    [
        (["0,0,5,6"], [[0, 0, 5, 6]]),
        # Without an area they stay as they are.
        (["5,2,5,4", "9,4,3,2"], [[5, 2, 5, 4], [9, 4, 3, 2]]),
    ],
)
def test_several_rows_are_several_true_boxes(photo_folder, added, boxes):
    with open(photo_folder / "boxes.csv", "a") as file:
        file.writelines(f"val/cat/0.jpg,{row}\n" for row in added)
    found = boxes_of(photo_folder)["val/cat/0.jpg"]
    np.testing.assert_array_equal(found, [[10, 20, 30, 40], *boxes])


def test_masks_are_found_next_to_the_photos(photo_folder):
    mask = np.zeros([60, 80], np.uint8)
    mask[20:40, 10:30] = 255
    mask[:5] = 128
    tiny_sets.save(photo_folder / "masks/val/cat/0.png", mask)
    with_mask, without = FolderSource(root=str(photo_folder)).records("val")[:2]
    np.testing.assert_array_equal(with_mask.load_mask(), mask)
    assert without.load_mask is None


def test_masks_of_no_photo_are_counted_and_noted(photo_folder, caplog):
    mask = np.zeros([60, 80], np.uint8)
    lost = ["masks/cat/1.png", "masks/val/cat/1.PNG"]
    for name in ("masks/val/cat/0.png", "masks/val/cat/.1.png", *lost):
        tiny_sets.save(photo_folder / name, mask)
    source = FolderSource(root=str(photo_folder))
    source.records("val")
    assert f"2 files below masks/ are of no photo, the first is {lost[0]}" in (
        caplog.text
    )
    notes = data_check.check_source(source).notes
    assert [note.images[0] for note in notes if note.kind == "unused_mask"] == lost


def test_a_models_class_order_wins(photo_folder):
    source = FolderSource(root=str(photo_folder), class_names=("dog", "bird", "cat"))
    assert [r.label for r in source.records("val")] == [0, 0, 2, 2]


def test_a_class_folder_without_photos_has_no_records(photo_folder):
    """Nor has a class whose folder only another split has: emu and owl in val."""
    for name in ("emu", "owl"):
        (photo_folder / "train" / name).mkdir()
    (photo_folder / "train" / "emu" / "IMG_1.raw").touch()
    (photo_folder / "val" / "emu").mkdir()
    source = FolderSource(root=str(photo_folder))
    assert source.class_names == ("cat", "dog", "emu", "owl")
    assert [r.label for r in source.records("train")] == [0, 0, 0, 1, 1, 1]
    assert [r.label for r in source.records("val")] == [0, 0, 1, 1]


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_class_folder_whose_name_is_not_utf8_is_refused(
    photo_folder, latin1_name, split
):
    (photo_folder / split / "cat").rename(photo_folder / split / latin1_name)
    message = rf"photos/{split}: the class folder 'caf\\udce9' has a name that is not"
    with pytest.raises(DataError, match=message):
        FolderSource(root=str(photo_folder)).records("val")


def test_a_photo_whose_name_is_not_utf8_is_a_photo(photo_folder, latin1_photo):
    (record,) = (
        record
        for record in FolderSource(root=str(photo_folder)).records("val")
        if record.boxes_original is None
    )
    assert os.fsencode(record.image_id) == b"val/cat/caf\xe9.jpg"
    assert record.load_image().shape == (60, 80, 3)


def test_a_split_without_any_photo_is_named(photo_folder):
    for path in (photo_folder / "val").glob("*/*.jpg"):
        path.rename(path.with_suffix(".raw"))
    (photo_folder / "boxes.csv").unlink()
    with pytest.raises(
        DataError, match="photos/val: no images in its class folders; .*ending in .jpg,"
    ):
        FolderSource(root=str(photo_folder)).records("val")


def test_unknown_class_in_a_split_is_named(photo_folder):
    (photo_folder / "val" / "emu").mkdir()
    with pytest.raises(DataError, match="val/emu: not one of the 2 classes"):
        FolderSource(root=str(photo_folder)).records("val")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("val/cat/9.jpg,1,2,3,4", "1 of its 11 names fit no photo.*'val/cat/9.jpg'"),
        *(
            (f"val/cat/0.jpg,{corners}", "boxes.csv:12: 'val/cat/0.jpg': a box is four")
            for corners in ("1,2,x,4", "1,2,nan,4", "1,2", "1,2,3,4,5", "1,,3,4")
        ),
    ],
)
def test_a_wrong_box_line_is_named(photo_folder, line, message):
    with open(photo_folder / "boxes.csv", "a") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match=message):
        boxes_of(photo_folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"file,x,y,w,h\n", "first line is 'file,x,y,w,h'"),
        (b"image,x_min\xff\n", "not a readable text file"),
    ],
)
def test_another_file_than_a_box_file_is_named(photo_folder, content, message):
    (photo_folder / "boxes.csv").write_bytes(content)
    with pytest.raises(DataError, match=f"boxes.csv: {message}"):
        boxes_of(photo_folder)


def write_voc(root, boxes) -> None:
    tiny_sets.write_voc(root, boxes, size_wh=(80, 60))


other_forms = pytest.mark.parametrize("write", [write_coco, write_voc])


@other_forms
def test_other_forms_of_boxes_give_the_same_boxes(photo_folder, write):
    known = boxes_of(photo_folder)
    write(photo_folder, {name: boxes.tolist() for name, boxes in known.items()})
    assert len(known) == 4
    for name, boxes in boxes_of(photo_folder).items():
        np.testing.assert_array_equal(boxes, known[name])
        assert boxes.dtype == np.float32


@other_forms
def test_two_forms_of_boxes_are_refused(photo_folder, write):
    text = (photo_folder / "boxes.csv").read_text()
    write(photo_folder, {"val/cat/0.jpg": [(1, 2, 3, 4)]})
    (photo_folder / "boxes.csv").write_text(text)
    with pytest.raises(DataError, match=r"holds boxes as boxes.csv and boxes"):
        boxes_of(photo_folder)


@other_forms
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("val/cat/lost.jpg", "boxes.*fit no photo of .*photos.*val/cat/lost"),
        ("test/cat/0.jpg", "1 of its 1 names fit no photo"),  # of no split that is here
    ],
)
def test_boxes_of_no_photo_alone_are_refused(photo_folder, write, name, message):
    write(photo_folder, {name: [(1, 2, 3, 4)]})
    with pytest.raises(DataError, match=message):
        boxes_of(photo_folder)


@other_forms
def test_boxes_of_a_split_that_is_left_out_are_no_fault(photo_folder, write):
    boxes = {"val/dog/1.jpg": [(1, 2, 3, 4)], "test/cat/0.jpg": [(5, 6, 7, 8)]}
    write(photo_folder, boxes)
    source = FolderSource(root=str(photo_folder))
    assert [r.boxes_original is None for r in source.records("val")] == [True] * 3 + [
        False
    ]
    (note,) = [n for n in source.box_file.notes if "splits" in n]
    assert "1 of its 2 names" in note
    assert "test/cat/0" in note


def test_a_wrong_layout_shows_the_one_found(tmp_path):
    make_cub(tmp_path)
    with pytest.raises(DataError, match="CUB_200_2011/train: no such folder"):
        FolderSource(root=str(tmp_path / "CUB_200_2011"))
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "1.jpg").touch()
    with pytest.raises(DataError, match="train: holds '1.jpg'; expected class folders"):
        FolderSource(root=str(tmp_path))


@pytest.mark.parametrize("ending", ["jfif", "JFIF", "jpe", "Jpe", "avif", "AVIF"])
def test_endings_that_decode_are_read(photo_folder, ending):
    path = photo_folder / "train" / "cat" / f"saved.{ending}"
    file_format = "AVIF" if ending.lower() == "avif" else "JPEG"
    Image.new("RGB", (80, 60), "red").save(path, file_format)
    records = FolderSource(root=str(photo_folder)).records("train")
    (record,) = [r for r in records if r.image_id == f"train/cat/{path.name}"]
    assert record.load_image().shape == (60, 80, 3)


def write_photo(path, grey=0):
    tiny_sets.save(path, np.full([6, 8], grey, np.uint8))


def test_class_folders_without_splits_are_split_by_name(tmp_path):
    """Of six photos a class the second is val; boxes and masks lie by the path."""
    for name in ("cat", "dog"):
        for i in range(6):
            write_photo(tmp_path / name / f"{i}.png", grey=i)
    write_photo(tmp_path / "masks/cat/1.png")
    write_csv(tmp_path, {"cat/1.png": [(0, 0, 4, 3)], "dog/0.png": [(1, 1, 4, 3)]})
    source = FolderSource(root=str(tmp_path))
    assert source.class_names == ("cat", "dog")
    train, val = source.records("train"), source.records("val")
    assert [r.image_id for r in val] == ["val/cat/1.png", "val/dog/1.png"]
    assert len(train) == 10 and train[0].image_id == "train/cat/0.png"
    assert val[0].load_image().shape == (6, 8, 3) and val[0].load_mask is not None
    assert val[0].boxes_original.tolist() == [[0, 0, 4, 3]]
    assert train[5].boxes_original.tolist() == [[1, 1, 4, 3]]
    with pytest.raises(DataError, match="/test: no such split"):
        source.records("test")


def test_photos_without_an_object_are_the_last_class_and_have_no_box(photo_folder):
    for split in ("train", "val"):
        shutil.copytree(photo_folder / split / "cat", photo_folder / split / "_none")
    source = FolderSource(root=str(photo_folder))
    assert source.class_names == ("cat", "dog", "_none")  # by name it would be first
    empty = [r for r in source.records("val") if r.label == 2]
    assert [r.image_id for r in empty] == ["val/_none/0.jpg", "val/_none/1.jpg"]
    assert all(r.boxes_original is None for r in empty)
    with open(photo_folder / "boxes.csv", "a") as file:
        file.write("val/_none/0.jpg,1,2,3,4\n")
    with pytest.raises(DataError, match="val/_none/0.jpg: has a box, but _none is for"):
        FolderSource(root=str(photo_folder)).records("val")


def write_labels(root, *rows: str, header: str = "image,classes") -> None:
    (root / "labels.csv").write_text("\n".join([header, *rows]) + "\n")


def test_labels_csv_names_all_classes_of_a_photo(photo_folder):
    """Whether or not its folder's is among them, and in another's spelling."""
    write_labels(
        photo_folder, "train/cat/0.jpg,dog;cat", r"train\cat\1.jpg, dog ;",
        "/data/train/dog/0.jpg,dog", "test/cat/9.jpg,dog",
    )  # fmt: skip
    source = FolderSource(root=str(photo_folder), class_names=("dog", "emu", "cat"))
    labels = {r.image_id: r.labels for r in source.records("train")}
    assert labels == {
        "train/cat/0.jpg": (2, 0), "train/cat/1.jpg": (2, 0), "train/cat/2.jpg": (2,),
        "train/dog/0.jpg": (0,), "train/dog/1.jpg": (0,), "train/dog/2.jpg": (0,),
    }  # fmt: skip
    assert all(len(record.labels) == 1 for record in source.records("val"))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("train/cat/lost.jpg,dog", ":3: 'train/cat/lost.jpg' names no photo"),
        ("train/cat/0.jpg,dog", ":3: 'train/cat/0.jpg' names a photo once more"),
        ("train/cat/1.jpg,dog;cow", ":3: 'cow' is not one of the 2 classes .cat, dog"),
        ("train/cat/1.jpg,cat,dog", ":3: expected a photo, a comma and its classes"),
        ("train/cat/1.jpg,;", ":3: expected a photo, a comma and its classes"),
        ('train/cat/1.jpg,"cat', ":3: not valid CSV"),
    ],
)
def test_a_wrong_line_of_labels_csv_is_named(photo_folder, row, message):
    write_labels(photo_folder, "train/cat/0.jpg,cat", row)
    with pytest.raises(DataError, match=f"labels.csv{message}"):
        FolderSource(root=str(photo_folder)).records("train")


def test_labels_csv_has_a_header(photo_folder):
    write_labels(photo_folder, header="train/cat/0.jpg,cat")
    with pytest.raises(DataError, match="labels.csv: first line is .*'image,classes'"):
        FolderSource(root=str(photo_folder)).records("train")
