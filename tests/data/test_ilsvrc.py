"""ILSVRC from extracted folders: both layouts of val, every form of boxes."""

import shutil
import tarfile

import numpy as np
import pytest

from bas_tf.data.sources.ilsvrc import IlsvrcSource
from bas_tf.errors import DataError
from tests.data import tiny_sets
from tests.data.tiny_sets import SYNSETS


def write_xml_archive(root) -> None:
    tiny_sets.write_xml_folder(root / "unpacked" / "val")
    with tarfile.open(root / "ILSVRC2012_bbox_val_v3.tgz", "w:gz") as tar:
        tar.add(root / "unpacked" / "val", arcname="val")
    shutil.rmtree(root / "unpacked")


FORMS = {
    "xml next to the images": lambda root: tiny_sets.write_xml_folder(root / "val"),
    "xml as in the challenge": lambda root: tiny_sets.write_xml_folder(
        root / "Annotations/CLS-LOC/val"
    ),
    "xml archive": write_xml_archive,
    "val_gt": tiny_sets.write_val_gt,
    "localization": tiny_sets.write_localization,
    "localization in metadata": lambda root: tiny_sets.write_localization(
        root / "metadata/ILSVRC/test"
    ),
}


@pytest.mark.parametrize("flat", [True, False], ids=["flat", "per synset"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_labels_and_boxes(tmp_path, form, flat):
    FORMS[form](tiny_sets.make_ilsvrc(tmp_path, flat=flat))
    source = IlsvrcSource(root=str(tmp_path))
    assert source.class_names == SYNSETS
    records = {record.image_id: record for record in source.records("val")}
    for stem, label, boxes in tiny_sets.ilsvrc_val():  # the first has two boxes
        folder = "val" if flat else f"val/{SYNSETS[label]}"
        record = records.pop(f"{folder}/{stem}.JPEG")
        assert record.label == label
        np.testing.assert_array_equal(record.boxes_original, boxes)
        tiny_sets.assert_drawn_on_box(record.load_image(), np.array(boxes[0]), label)
    assert not records


def test_train_needs_no_boxes_and_is_ordered_by_synset(tmp_path):
    tiny_sets.make_ilsvrc(tmp_path, flat=False)
    source = IlsvrcSource(root=str(tmp_path))
    train = source.records("train")
    assert [r.label for r in train] == [0] * 4 + [1] * 4 + [2] * 4
    assert train[4].image_id == "train/n01443537/n01443537_0.JPEG"
    assert {r.boxes_original for r in train + source.records("val")} == {None}


def test_images_may_lie_as_the_challenge_packs_them(tmp_path):
    tiny_sets.make_ilsvrc(tmp_path / "Data/CLS-LOC", flat=True)
    tiny_sets.write_xml_folder(tmp_path / "Annotations/CLS-LOC/val")
    records = IlsvrcSource(root=str(tmp_path)).records("val")
    assert [r.label for r in records] == [2, 0, 1, 2, 0, 1]


def test_an_image_without_boxes_keeps_its_place(tmp_path):
    tiny_sets.make_ilsvrc(tmp_path, flat=False)
    tiny_sets.write_val_gt(tmp_path)
    lines = (tmp_path / "val_gt.txt").read_text().splitlines()
    lines[1] = lines[1].partition(";")[0] + ";"  # of n01440764
    (tmp_path / "val_gt.txt").write_text("\n".join(lines[:2]))
    records = IlsvrcSource(root=str(tmp_path)).records("val")
    assert [r.boxes_original is None for r in records] == [True] * 4 + [False, True]


def test_a_flat_val_needs_labels(tmp_path):
    tiny_sets.make_ilsvrc(tmp_path, flat=True)
    with pytest.raises(DataError, match="val: is flat, so labels come with the boxes"):
        IlsvrcSource(root=str(tmp_path)).records("val")
    tiny_sets.write_localization(tmp_path)
    (tmp_path / "class_labels.txt").unlink()
    with pytest.raises(
        DataError, match="label of ILSVRC2012_val_00000001.JPEG is None"
    ):
        IlsvrcSource(root=str(tmp_path)).records("val")


def test_a_models_class_order_wins_and_train_may_be_absent(tmp_path):
    tiny_sets.make_ilsvrc(tmp_path, flat=True)
    tiny_sets.write_localization(tmp_path)
    shutil.rmtree(tmp_path / "train")
    source = IlsvrcSource(root=str(tmp_path), class_names=SYNSETS[::-1])
    assert [r.label for r in source.records("val")] == [0, 2, 1, 0, 2, 1]
    with pytest.raises(DataError, match="no split 'train'; it has val"):
        source.records("train")


def test_two_forms_of_boxes_are_refused(tmp_path):
    tiny_sets.make_ilsvrc(tmp_path, flat=False)
    tiny_sets.write_val_gt(tmp_path)
    tiny_sets.write_localization(tmp_path)
    with pytest.raises(
        DataError, match="val_gt.txt and as .*localization.txt; keep one of them"
    ):
        IlsvrcSource(root=str(tmp_path)).records("val")


def test_boxes_of_other_images_are_refused(tmp_path):
    tiny_sets.make_ilsvrc(tmp_path, flat=False)
    (tmp_path / "localization.txt").write_text("val2/0/a31041fd.jpeg,1,2,3,4\n")
    with pytest.raises(DataError, match="none of its boxes is of an image in"):
        IlsvrcSource(root=str(tmp_path)).records("val")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (r"n01\\a.JPEG 40 30", r"val_gt.txt:1: .*; expected synset\\file width"),
        (r"n01\\a.JPEG 40 30 ; 1 2 3", "val_gt.txt:1: .*; expected synset"),
        (r"n01\\a.JPEG 40 30 ; 1 2 3 x", "val_gt.txt:1: a box is four finite numbers"),
        (r"n01\\a.JPEG 40 30 ; 1 2 nan 4", "val_gt.txt:1: a box is four finite"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, message):
    tiny_sets.make_ilsvrc(tmp_path, flat=False)
    (tmp_path / "val_gt.txt").write_text(line)
    with pytest.raises(DataError, match=message):
        IlsvrcSource(root=str(tmp_path)).records("val")


def test_a_class_folder_without_images_has_no_records(tmp_path):
    tiny_sets.make_ilsvrc(tmp_path, flat=False)
    for split in ("train", "val"):
        for path in (tmp_path / split / SYNSETS[1]).iterdir():
            path.unlink()
    source = IlsvrcSource(root=str(tmp_path))
    assert source.class_names == SYNSETS
    assert [r.label for r in source.records("train")] == [0] * 4 + [2] * 4
    assert [r.label for r in source.records("val")] == [0, 0, 2, 2]


def test_a_damaged_archive_is_named(tmp_path):
    write_xml_archive(tiny_sets.make_ilsvrc(tmp_path, flat=True))
    path = tmp_path / "ILSVRC2012_bbox_val_v3.tgz"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match="val_v3.tgz: not a readable archive"):
        IlsvrcSource(root=str(tmp_path)).records("val")
