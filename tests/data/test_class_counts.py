"""A training without images of a class is refused, whatever the source."""

import re

import pytest

from bas_tf.data.class_counts import check_every_class_has_images
from bas_tf.data.sources.cub import CubSource
from bas_tf.data.sources.folder import FolderSource
from bas_tf.errors import DataError
from tests.data import tiny_sets


def test_a_source_with_images_of_every_class_passes(photo_folder, tmp_path):
    folder = FolderSource(root=str(photo_folder))
    birds = CubSource(root=str(tiny_sets.make_cub(tmp_path)))
    for source in (folder, birds):
        records = source.records("train")
        check_every_class_has_images(records, source.class_names, "train")


def test_one_class_without_photos_is_named(photo_folder):
    """A photo of a form that is not read does not count."""
    (photo_folder / "train" / "emu").mkdir()
    (photo_folder / "train" / "emu" / "1.raw").touch()
    source = FolderSource(root=str(photo_folder))
    message = (
        "split 'train' has no images of 1 of its 3 classes (emu); add images of them "
        "or take them out of the data; `python -m bas_tf.check_data` lists them all, "
        "and the files that are skipped"
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        check_every_class_has_images(
            source.records("train"), source.class_names, "train"
        )


@pytest.mark.parametrize(
    ("count", "named"),
    [(5, "(0a, 0b, 0c, 0d, 0e)"), (7, "(0a, 0b, 0c, 0d, 0e and 2 more)")],
)
def test_the_first_five_of_many_are_named(photo_folder, count, named):
    """Sorted before cat and dog, so the labels of those that have photos are last."""
    for letter in "abcdefg"[:count]:
        (photo_folder / "train" / f"0{letter}").mkdir()
    source = FolderSource(root=str(photo_folder))
    with pytest.raises(DataError) as error:
        check_every_class_has_images(
            source.records("train"), source.class_names, "train"
        )
    assert f"no images of {count} of its {count + 2} classes {named};" in str(
        error.value
    )


def test_a_table_that_knows_more_classes_than_it_has_images_of(tmp_path):
    root = tiny_sets.make_cub(tmp_path)
    with open(root / "classes.txt", "a") as file:
        file.write("4 004.Groove_billed_Ani\n")
    source = CubSource(root=str(root))
    with pytest.raises(DataError, match=r"1 of its 4 classes \(004.Groove_billed_Ani"):
        check_every_class_has_images(
            source.records("train"), source.class_names, "train"
        )


def test_images_that_were_left_out_do_not_count(photo_folder):
    source = FolderSource(root=str(photo_folder))
    cats = [record for record in source.records("train") if record.label == 0]
    with pytest.raises(DataError, match=r"1 of its 2 classes \(dog\)"):
        check_every_class_has_images(cats, source.class_names, "train")
