"""Images that cannot be read are an error, or are left out, counted and listed."""

import os

import numpy as np
import pytest

from bas_tf.data import bad_images
from bas_tf.data.images import DrawnImage
from bas_tf.data.records import Record
from bas_tf.data.sources.folder import FolderSource
from bas_tf.errors import DataError, UserError


def good() -> np.ndarray:
    return np.zeros([2, 2, 3], np.uint8)


def bad(name: str):
    def load():
        raise DataError(f"{name}: not a readable image\n(truncated)")

    return load


class Source:
    """Split "test" is good, bad, good, bad; "val" is good; "train" is bad."""

    class_names = ("cat", "dog")
    splits = ("train", "val", "test")

    def records(self, split: str) -> list[Record]:
        letters = {"test": "gbgb", "val": "g", "train": "b"}[split]
        return [
            Record(f"{split}/{i}.jpg", label=i % 2, image=DrawnImage(load, (4, 4)))
            for i, letter in enumerate(letters)
            for load in [good if letter == "g" else bad(f"{split}/{i}.jpg")]
        ]


def test_error_reads_nothing_and_leaves_nothing_out(tmp_path):
    source = Source()
    guarded = bad_images.guard_source(source, on_bad_image="error", folder=tmp_path)
    assert guarded is source
    assert list(tmp_path.iterdir()) == []


def test_skipping_is_counted_listed_and_logged(tmp_path, caplog):
    source = bad_images.guard_source(Source(), on_bad_image="skip", folder=tmp_path)
    assert source.class_names == ("cat", "dog")
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
    class Many(Source):
        def records(self, split):
            names = [f"{i}.jpg" for i in range(25)]
            bads = [Record(name, 0, DrawnImage(bad(name), (4, 4))) for name in names]
            return [*bads, *super().records("val")]

    source = bad_images.guard_source(Many(), on_bad_image="skip", folder=tmp_path)
    assert len(source.records("test")) == 1
    lines = (tmp_path / "skipped_images_test.txt").read_text().splitlines()
    assert len(lines) == 25
    (warning,) = [r.getMessage() for r in caplog.records]
    assert "\n  19.jpg: " in warning and "\n  20.jpg: " not in warning
    assert warning.endswith("\n  and 5 more")  # 25 - 20


def test_a_split_without_one_readable_image_is_an_error(tmp_path):
    source = bad_images.guard_source(Source(), on_bad_image="skip", folder=tmp_path)
    with pytest.raises(DataError, match="none of the 1 images of split 'train'"):
        source.records("train")
    assert (tmp_path / "skipped_images_train.txt").read_text().startswith("train/0")


@pytest.mark.parametrize("choice", ["ignore", ""])
def test_an_unknown_choice_is_named(tmp_path, choice):
    message = f"--on_bad_image is '{choice}'; known: error, skip"
    with pytest.raises(UserError, match=message):
        bad_images.guard_source(Source(), on_bad_image=choice, folder=tmp_path)
