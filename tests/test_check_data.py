"""Faults in the data are all listed, by name, before hours are spent."""

import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.commands import only_error_line
from tests.data.tiny_sets import make_cub


@pytest.fixture
def photos(photo_folder) -> Path:
    """The photo folder, its validation photos drawn on another ground.

    As it comes, val repeats photos of train.
    """
    for path in sorted(photo_folder.glob("val/*/*.jpg")):
        pixels = np.asarray(Image.open(path)).copy()
        pixels[:10] = 120
        Image.fromarray(pixels).save(path, quality=95)
    return photo_folder


@pytest.fixture
def check(command):
    """Runs the command on a folder: (exit code, stdout lines, stderr)."""

    def run(root, *args, source="folder"):
        code, out, err = command(
            "bas_tf.check_data", "--config=configs/demo.py",
            f"--config.data.source={source}", f"--config.data.root={root}", *args,
        )  # fmt: skip
        return code, out.splitlines(), err

    return run


def add_boxes(root: Path, *rows: str) -> None:
    with open(root / "boxes.csv", "a") as file:
        file.writelines(f"{row}\n" for row in rows)


def test_good_data_is_counted(check, photos):
    code, out, err = check(photos)
    assert (code, err) == (0, "")
    assert out == [
        "                           train       val",
        "images                         6         4",
        "  cannot be read               0         0",
        "  with boxes                   6         4",
        "  without boxes                0         0",
        "  of several classes           0         0",
        "  with a mask                  0         0",
        "boxes                          6         4",
        "width, min/median/max   80/80/80  80/80/80",
        "height, min/median/max  60/60/60  60/60/60",
        "images per class",
        "  cat                          3         2",
        "  dog                          3         2",
        f"test: not there ({photos}/test: no such split folder; "
        f"{photos} has train, val)",
        "no faults",
    ]


def test_labels_of_photos_are_counted_and_every_wrong_line_is_listed(check, photos):
    lines = ["image,classes", "train/cat/0.jpg,dog;cat", "val/cat/0.jpg,cow;dog;emu"]
    file = photos / "labels.csv"
    file.write_text("\n".join([*lines, "train/cat/lost.jpg,cat", "val/dog/0.jpg,"]))
    code, out, _ = check(photos)
    assert code == 1 and "  of several classes           1         1" in out
    assert out[-6] == "fault: lines of labels.csv that do not fit the photos: 4"
    assert [line[3 + len(str(file)) : 5 + len(str(file))] for line in out[-5:-1]] == [
        "5:", "3:", "3:", "4:",
    ]  # fmt: skip


def test_a_name_that_is_not_utf8_is_printed_as_an_escape(
    check, photos, latin1_photo, tmp_path
):
    latin1_photo.write_bytes(b"gone")
    code, out, err = check(photos, f"--output={tmp_path / 'found.json'}")
    assert (code, err) == (1, "")
    assert out[-1] == "1 fault"
    assert r"val/cat/caf\udce9.jpg" in out[-2]
    (fault,) = json.loads((tmp_path / "found.json").read_text())["faults"]
    assert os.fsdecode(b"val/cat/caf\xe9.jpg") in fault["images"]


def test_every_class_without_photos_is_listed(check, photos):
    """A fault in train, a note in val; files that only look like none are named."""
    for split in ("train", "val"):
        for name in ("emu", "owl"):
            (photos / split / name).mkdir()
    photo = photos / "train" / "owl" / "IMG_1.MOV"
    photo.write_bytes(b"\0\0\0\x14ftypqt  ")
    code, out, err = check(photos)
    assert (code, err) == (1, "")
    start = out.index("  emu                          0         0")
    assert out[start + 1] == "  owl                          0         0"
    start = out.index("note: classes without images, here no fault: 2")
    assert out[start + 1 : start + 4] == [
        "  val: no images of class 'emu'",
        "  val: no images of class 'owl'",
        "note: files in class folders that are not read: 1",
    ]
    assert out[start + 4].startswith("  train/owl/IMG_1.MOV: ")
    assert out[start + 5 :] == [
        "fault: classes without images: 2",
        "  train: no images of class 'emu'",
        "  train: no images of class 'owl'",
        "2 faults",
    ]


def test_a_row_that_is_no_box_is_one_fault_of_the_box_file(check, photos):
    """A header and ten photos come before the row."""
    add_boxes(photos, "val/cat/1.jpg,5,0,nan,5")
    code, out, err = check(photos)
    assert (code, err) == (1, "")
    assert out[-3:] == [
        "fault: box files that do not fit the photos: 1",
        f"  {photos}/boxes.csv:12: 'val/cat/1.jpg': a box is four finite numbers, not "
        "['5', '0', 'nan', '5']",
        "1 fault",
    ]


def test_all_kinds_of_faults_come_in_one_run(check, photos, tmp_path):
    """Eight faults of six kinds and two notes, as a table and as JSON."""
    # A copy of a training photo, saved without loss as another format: equal pixels.
    Image.open(photos / "train/dog/0.jpg").save(photos / "val/cat/copy.png")
    (photos / "val/dog/0.jpg").write_text("<html>not found</html>")
    masks = photos / "masks" / "train" / "cat"
    masks.mkdir(parents=True)
    Image.fromarray(np.zeros([80, 60], np.uint8)).save(masks / "0.png")
    (masks / "1.png").write_bytes(b"")
    Image.fromarray(np.zeros([30, 40], np.uint8)).save(masks / "2.png")
    # Stored 80 x 60 and turned by EXIF to 60 x 80; the boxes were drawn before that.
    turned = Image.Exif()
    turned[0x0112] = 6
    for i in range(3):
        pixels = np.full([60, 80, 3], 10 * i, np.uint8)
        Image.fromarray(pixels).save(photos / f"val/cat/phone{i}.jpg", exif=turned)
        add_boxes(photos, f"val/cat/phone{i}.jpg,50,10,{70 + i},40")
    output = tmp_path / "new" / "data.json"

    code, out, err = check(photos, f"--output={output}")
    assert (code, err) == (1, "")
    assert out[-1] == "8 faults"
    found = json.loads(output.read_text())
    assert found["num_faults"] == {
        "mask_size": 1,
        "unreadable_mask": 1,
        "unreadable_image": 1,
        "box_outside": 3,
        "box_frame": 1,
        "copies_across_splits": 1,
    }
    assert [(f["kind"], f["split"], f["images"]) for f in found["faults"]] == [
        ("mask_size", "train", ["train/cat/0.jpg"]),
        ("unreadable_mask", "train", ["train/cat/1.jpg"]),
        *(("box_outside", "val", [f"val/cat/phone{i}.jpg"]) for i in range(3)),
        ("unreadable_image", "val", ["val/dog/0.jpg"]),
        ("box_frame", "val", []),
        ("copies_across_splits", "", ["train/dog/0.jpg", "val/cat/copy.png"]),
    ]
    assert [(n["kind"], n["images"]) for n in found["notes"]] == [
        ("mask_scaled", ["train/cat/2.jpg"]),
        ("image_without_boxes", ["val/cat/copy.png"]),
    ]
    # In val: cat 0, 1, the copy and three of the phone; dog 0 and 1.
    val = found["splits"]["val"]
    assert val["images_per_class"] == {"cat": 6, "dog": 2}
    assert (val["images"], val["boxes"], val["unreadable_images"]) == (8, 7, 1)
    assert (val["images_with_boxes"], val["images_without_boxes"]) == (7, 1)
    # Read are four of 80 x 60 and three of 60 x 80.
    assert val["width"] == {"min": 60, "median": 80, "max": 80}
    assert val["height"] == {"min": 60, "median": 60, "max": 80}
    assert found["splits"]["train"]["images_with_mask"] == 3
    assert list(found["absent_splits"]) == ["test"]
    # Nothing in the file that the table does not say.
    assert all(f"  {f['message']}" in out for f in found["faults"] + found["notes"])


def test_folders_that_end_a_training_end_no_check(check, photos, monkeypatch, tmp_path):
    """Each is listed in one run with what is wrong in the other photos."""
    for place in ("train/Caf\u00e9", "train/Cafe\u0301", "val/wolf", "train/\udcff"):
        (photos / place).mkdir()
        shutil.copy(photos / "train/cat/0.jpg", photos / place / "0.jpg")
    (photos / "val/cat/0.jpg").write_bytes(b"")
    add_boxes(photos, "elsewhere/9.jpg,1,1,9,9", "val/cat/1.jpg,1,1,900,9")

    def refuse(folder, listdir=os.listdir):
        if str(folder).endswith("photos/val/dog"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return listdir(folder)

    monkeypatch.setattr(os, "listdir", refuse)
    output = tmp_path / "data.json"
    assert check(photos, f"--output={output}")[0] == 1
    faults = json.loads(output.read_text(encoding="utf-8"))["faults"]
    told = [(fault["kind"], fault["message"]) for fault in faults]
    for kind, part in [
        ("class_folder", "differ in Unicode form only"),
        ("class_folder", "not UTF-8"),
        ("class_folder", "val/wolf: not one of the"),
        ("class_folder", "val/dog: cannot be read (Permission denied)"),
        ("box_file", "elsewhere/9.jpg"),
        ("box_outside", "val/cat/1.jpg"),
        ("unreadable_image", "val/cat/0.jpg"),
        ("class_without_images", "Caf"),
    ]:
        assert any(k == kind and part in message for k, message in told), (kind, told)


def test_the_terminal_shows_twenty_of_a_kind_and_the_file_all(check, photos, tmp_path):
    add_boxes(photos, *(f"val/cat/1.jpg,0,0,{81 + i},5" for i in range(23)))
    code, out, _ = check(photos, f"--output={tmp_path}/data.json")
    assert code == 1
    assert out[-23] == "fault: boxes that reach outside their image: 23"
    # Twenty lines, of 81 to 100, then the rest of 23.
    assert out[-3].startswith("  val/cat/1.jpg: box [0, 0, 100, 5]")
    assert out[-2:] == ["  and 3 more, which --output=FILE lists", "23 faults"]
    found = json.loads((tmp_path / "data.json").read_text())
    assert found["faults"][-1]["message"].startswith(
        "val/cat/1.jpg: box [0, 0, 103, 5]"
    )


def test_birds_without_a_val_split(check, tmp_path):
    """Three classes, four training and two test photos each, a mask and box each."""
    code, out, err = check(make_cub(tmp_path), source="cub")
    assert (code, err) == (0, "")
    assert out[0].split() == ["train", "test"]
    assert [line.split()[-2:] for line in out[1:8]] == [
        ["12", "6"], ["0", "0"], ["12", "6"], ["0", "0"], ["0", "0"], ["12", "6"],
        ["12", "6"],
    ]  # fmt: skip
    assert out[-2].startswith("val: not there (")
    assert out[-2].endswith("no split 'val'; it has train, test)")


def test_drawings_are_checked_too(check):
    """No files at all; sixteen drawings of eight classes are two of each."""
    code, out, err = check(
        "", "--config.data.num_images={'train': 16, 'val': 8, 'test': 8}",
        source="synthetic",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert out[1].split() == ["images", "16", "8", "8"]
    assert [line.split()[-3:] for line in out[11:19]] == [["2", "1", "1"]] * 8


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ({"root": ""}, "data.root is empty"),
        ({"root": "/nowhere"}, "data.root is '/nowhere': no such folder"),
        ({"root": "/", "source": "web"}, "data.source is 'web'; known: coco2014"),
    ],
)
def test_a_mistake_in_the_settings_is_no_fault_of_data(check, args, told):
    code, out, err = check(**args)
    assert (code, out) == (2, [])
    assert told in only_error_line(err)


def test_shards_are_written_and_checked_as_their_source(check, photos, tmp_path):
    shards = tmp_path / "shards"
    code, plain, _ = check(photos)
    assert code == 0
    code, out, err = check(photos, f"--write_shards={shards}")
    assert (code, err) == (0, "")
    assert out == [*plain, f"{shards}: 6 of train, 4 of val"]
    code, again, _ = check(shards, source="shards")
    assert code == 0
    assert again[:12] == plain[:12]  # but the line about the absent test split


def test_shards_over_a_folder_are_refused_before_anything_is_read(check, photos):
    code, out, err = check(photos, f"--write_shards={photos}")
    assert (code, out) == (2, [])
    assert only_error_line(err) == (
        f"error: --write_shards={photos}: exists; name a new folder"
    )


def test_an_unreadable_photo_is_left_out_of_shards_when_asked(check, photos, tmp_path):
    bad, shards = photos / "train/cat/1.jpg", tmp_path / "shards"
    bad.write_bytes(bad.read_bytes()[:600])
    code, out, err = check(photos, f"--write_shards={shards}")
    assert code == 2 and not shards.exists()
    assert only_error_line(err).startswith(f"error: {bad}: not a readable image")
    assert out[-1] == "1 fault"  # told first, in full
    code, out, err = check(photos, f"--write_shards={shards}", "--on_bad_image=skip")
    assert (code, out[-1]) == (1, f"{shards}: 5 of train, 4 of val")
    assert str(bad) in (shards / "skipped_images_train.txt").read_text()
