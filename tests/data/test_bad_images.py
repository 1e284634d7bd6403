"""Images that cannot be read are an error, or are left out, counted and listed."""

import os

import numpy as np
import pytest

from bas_tf.data import bad_images
from bas_tf.data.images import DrawnImage
from bas_tf.data.records import Record
from bas_tf.data.sources.folder import FolderSource
from bas_tf.errors import DataError, UserError
from tests.written_source import WrittenSource


def good() -> np.ndarray:
    return np.zeros([2, 2, 3], np.uint8)


def bad(name: str):
    def load():
        raise DataError(f"{name}: not a readable image\n(truncated)")

    return load


def image(name: str, letter: str) -> Record:
    return Record(name, 0, DrawnImage(good if letter == "g" else bad(name), (4, 4)))


LETTERS = {"test": "gbgb", "val": "g", "train": "b", "long": "b" * 25 + "g"}
SOURCE = WrittenSource(
    {
        split: [image(f"{split}/{i}.jpg", letter) for i, letter in enumerate(letters)]
        for split, letters in LETTERS.items()
    }
)


def test_error_reads_nothing_and_leaves_nothing_out(tmp_path):
    guarded = bad_images.guard_source(SOURCE, on_bad_image="error", folder=tmp_path)
    assert guarded is SOURCE
    assert list(tmp_path.iterdir()) == []


def test_skipping_is_counted_listed_and_logged(tmp_path, caplog):
    source = bad_images.guard_source(SOURCE, on_bad_image="skip", folder=tmp_path)
    assert source.class_names == ("cat",)
    assert len(source.records("test")) == 2
    listing = tmp_path / "skipped_images_test.txt"
    assert listing.read_text() == (
        "test/1.jpg: not a readable image (truncated)\n"
        "test/3.jpg: not a readable image (truncated)\n"
    )
    (warning,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert warning.startswith("2 of 4 images of split 'test' cannot be read")
    assert str(listing) in warning
    assert all(line in warning for line in listing.read_text().splitlines())
    caplog.clear()
    assert len(source.records("val")) == 1
    assert (tmp_path / "skipped_images_val.txt").read_text() == ""
    assert not caplog.records
    assert source.num_skipped == {"test": 2, "val": 0}


def test_a_name_that_is_not_utf8_is_listed_as_it_is(
    photo_folder, latin1_photo, tmp_path
):
    latin1_photo.write_bytes(b"gone")
    source = FolderSource(root=str(photo_folder))
    guarded = bad_images.guard_source(source, on_bad_image="skip", folder=tmp_path)
    assert len(guarded.records("val")) == 4
    listed = (tmp_path / "skipped_images_val.txt").read_bytes()
    assert listed.startswith(os.fsencode(latin1_photo) + b": not a readable image")


def test_a_long_list_is_whole_in_the_file_only(tmp_path, caplog):
    source = bad_images.guard_source(SOURCE, on_bad_image="skip", folder=tmp_path)
    assert len(source.records("long")) == 1
    lines = (tmp_path / "skipped_images_long.txt").read_text().splitlines()
    assert len(lines) == 25
    (warning,) = [r.getMessage() for r in caplog.records]
    assert "/19.jpg: " in warning and "/20.jpg: " not in warning
    assert warning.endswith("\n  and 5 more")  # 25 - 20


def test_a_split_without_one_readable_image_is_an_error(tmp_path):
    source = bad_images.guard_source(SOURCE, on_bad_image="skip", folder=tmp_path)
    with pytest.raises(DataError, match="none of the 1 images of split 'train'"):
        source.records("train")
    assert (tmp_path / "skipped_images_train.txt").read_text().startswith("train/0")


@pytest.mark.parametrize("choice", ["ignore", ""])
def test_an_unknown_choice_is_named(tmp_path, choice):
    message = f"--on_bad_image is '{choice}'; known: error, skip"
    with pytest.raises(UserError, match=message):
        bad_images.guard_source(SOURCE, on_bad_image=choice, folder=tmp_path)
