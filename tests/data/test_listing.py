"""What systems and tools leave in folders is skipped; Unicode forms are one name."""

import errno
import os
import unicodedata

import pytest
from PIL import Image

from bas_tf.data import listing
from bas_tf.data.annotations.annotation_files import labels_of
from bas_tf.data.records import DataError
from bas_tf.data.sources.folder import FolderSource

VOC = """<annotation><object><name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin>
<xmax>4</xmax><ymax>4</ymax></bndbox></object></annotation>"""
NFC, NFD = (unicodedata.normalize(form, "été") for form in ("NFC", "NFD"))


def write_photo(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), "red").save(path)


@pytest.mark.parametrize(
    "name", [".ipynb_checkpoints", "__MACOSX", "@eaDir", "@EADIR", ".git"]
)
def test_left_behind_folders_are_no_classes(tmp_path, name):
    for class_name in ("cat", "dog", name):
        write_photo(tmp_path / "train" / class_name / "0.jpg")
    assert FolderSource(root=str(tmp_path)).class_names == ("cat", "dog")


@pytest.mark.parametrize("name", ["._0.jpg", ".DS_Store", "Thumbs.db", "desktop.ini"])
def test_left_behind_files_are_neither_photos_nor_counted(tmp_path, name):
    write_photo(tmp_path / "train/cat/0.jpg")
    (tmp_path / "train/cat" / name).write_bytes(b"not a photo")
    (tmp_path / "train/cat/notes.txt").write_bytes(b"")
    (tmp_path / "train/cat/more").mkdir()
    assert listing.images_of(tmp_path / "train/cat") == ["0.jpg"]
    unread = listing.unread_files(tmp_path / "train")
    assert [entry for entry, _ in unread] == ["cat/more", "cat/notes.txt"]


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(listing.os, "listdir", refuse)
    with pytest.raises(DataError, match="train/cat: cannot be read .Permission denied"):
        listing.images_of(tmp_path / "train/cat")


def test_masks_that_cannot_be_listed_are_not_masks_that_are_absent(
    photo_folder, monkeypatch
):
    def refuse(folder, listdir=os.listdir):
        if "/masks/" in str(folder):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return listdir(folder)

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(DataError, match="masks/val/cat: cannot be read"):
        FolderSource(root=str(photo_folder)).records("val")


def test_a_class_in_another_unicode_form_is_the_same_class(tmp_path):
    assert labels_of([NFD], ["cat", NFC], folder=tmp_path) == {NFD: 1}
    (tmp_path / NFC).mkdir()
    (tmp_path / NFD).mkdir()
    with pytest.raises(DataError, match="Unicode form"):
        listing.class_folders(tmp_path)


@pytest.mark.parametrize(
    "name", ["$RECYCLE.BIN", "#recycle", "@Recycle", "lost+found", "__pycache__"]
)
def test_folders_of_systems_are_no_classes(tmp_path, name):
    write_photo(tmp_path / "train/cat/0.jpg")
    write_photo(tmp_path / "train" / name / "0.jpg")
    write_photo(tmp_path / "train/cat/~$0.jpg")
    source = FolderSource(root=str(tmp_path))
    assert source.class_names == ("cat",)
    assert len(source.records("train")) == 1


@pytest.mark.parametrize("place", ["val/cat", "boxes/val/cat"])
def test_a_folder_that_cannot_be_read_loses_no_boxes(photo_folder, monkeypatch, place):
    """It is named, also where another split is read: its boxes seem to fit nothing."""
    boxes = photo_folder / "boxes/val/cat"
    boxes.mkdir(parents=True)
    (photo_folder / "boxes.csv").unlink(missing_ok=True)
    (boxes / "0.xml").write_text(VOC, encoding="utf-8")

    def refuse(folder, listdir=os.listdir):
        if str(folder) == str(photo_folder / place):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return listdir(folder)

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(DataError, match=f"{place}: cannot be read"):
        FolderSource(root=str(photo_folder)).records("train")


def test_what_is_skipped_is_counted_in_every_split(photo_folder, caplog):
    for split in ("train", "val"):
        (photo_folder / split / "cat/notes.txt").write_bytes(b"")
    source = FolderSource(root=str(photo_folder))
    for split in ("train", "val"):
        source.records(split)
        assert f"{split}: skipped 1 entries that are no photos: cat/notes.txt" in (
            caplog.text
        )
