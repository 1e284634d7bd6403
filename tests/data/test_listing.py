"""What systems and tools leave in folders is skipped; Unicode forms are one name."""

import errno
import os
import unicodedata

import pytest

from bas_tf.data import listing
from bas_tf.data.annotations.annotation_files import labels_of
from bas_tf.data.records import DataError
from bas_tf.data.sources.folder import FolderSource
from tests.data.tiny_sets import draw, save, write_voc

NFC, NFD = (unicodedata.normalize(form, "été") for form in ("NFC", "NFD"))


def write_photo(path):
    save(path, draw(0, 0))


@pytest.mark.parametrize(
    "name",
    [
        ".ipynb_checkpoints", "__MACOSX", "@eaDir", "@EADIR", ".git", "$RECYCLE.BIN",
        "#recycle", "@Recycle", "lost+found", "__pycache__",
    ],
)  # fmt: skip
def test_left_behind_folders_are_no_classes(tmp_path, name):
    for class_name in ("cat", "dog", name):
        write_photo(tmp_path / "train" / class_name / "0.jpg")
    write_photo(tmp_path / "train/cat/~$0.jpg")
    source = FolderSource(root=str(tmp_path))
    assert source.class_names == ("cat", "dog")
    assert len(source.records("train")) == 2


@pytest.mark.parametrize("name", ["._0.jpg", ".DS_Store", "Thumbs.db", "desktop.ini"])
def test_left_behind_files_are_neither_photos_nor_counted(tmp_path, name):
    write_photo(tmp_path / "train/cat/0.jpg")
    (tmp_path / "train/cat" / name).write_bytes(b"not a photo")
    (tmp_path / "train/cat/notes.txt").write_bytes(b"")
    (tmp_path / "train/cat/more").mkdir()
    assert listing.images_of(tmp_path / "train/cat") == ["0.jpg"]
    unread = listing.unread_files(tmp_path / "train")
    assert [entry for entry, _ in unread] == ["cat/more", "cat/notes.txt"]


def refuse(monkeypatch, folder) -> None:
    """Makes one folder unreadable."""

    def listdir(path, usual=os.listdir):
        if str(path) == str(folder):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return usual(path)

    monkeypatch.setattr(os, "listdir", listdir)


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    refuse(monkeypatch, tmp_path / "train/cat")
    with pytest.raises(DataError, match="train/cat: cannot be read .Permission denied"):
        listing.images_of(tmp_path / "train/cat")


@pytest.mark.parametrize(
    ("place", "split"),
    [
        # Masks that cannot be listed are not masks that are absent.
        ("masks/val/cat", "val"),
        # Named also where another split is read: its boxes seem to fit nothing.
        ("val/cat", "train"),
        ("boxes/val/cat", "train"),
    ],
)
def test_a_folder_that_cannot_be_read_loses_nothing(
    photo_folder, monkeypatch, place, split
):
    write_voc(photo_folder, {"val/cat/0.jpg": [(0, 0, 4, 4)]})
    refuse(monkeypatch, photo_folder / place)
    with pytest.raises(DataError, match=f"{place}: cannot be read"):
        FolderSource(root=str(photo_folder)).records(split)


def test_a_class_in_another_unicode_form_is_the_same_class(tmp_path):
    assert labels_of([NFD], ["cat", NFC], folder=tmp_path) == {NFD: 1}
    (tmp_path / NFC).mkdir()
    (tmp_path / NFD).mkdir()
    with pytest.raises(DataError, match="Unicode form"):
        listing.class_folders(tmp_path)


def test_what_is_skipped_is_counted_in_every_split(photo_folder, caplog):
    for split in ("train", "val"):
        (photo_folder / split / "cat/notes.txt").write_bytes(b"")
    source = FolderSource(root=str(photo_folder))
    for split in ("train", "val"):
        source.records(split)
        assert f"{split}: skipped 1 entries that are no photos: cat/notes.txt" in (
            caplog.text
        )
