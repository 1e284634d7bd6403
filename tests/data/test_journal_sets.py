"""What Stanford Cars, Stanford Dogs and FGVC-Aircraft have alone."""

import numpy as np
import pytest

from bas_tf.data.sources import load_source
from bas_tf.errors import DataError
from tests.data import tiny_sets


def test_a_photo_of_five_dogs_has_five_boxes(tmp_path):
    source = load_source("stanford_dogs", root=str(tiny_sets.make_dogs(tmp_path)))
    test = source.records("test")
    assert [len(record.boxes_original) for record in test] == [1, 5] * 3
    np.testing.assert_array_equal(test[1].boxes_original[4], [3, 3, 12, 11])


def test_official_val_trains_too(tmp_path):
    """As in the journal extension; it is the fourth of the four photos to train on."""
    root = tiny_sets.make_aircraft(tmp_path)
    source = load_source("fgvc_aircraft", root=str(root / "data"))
    val = (root / "data" / "images_variant_val.txt").read_text().split("\n")[0]
    assert f"images/{val.split()[0]}.jpg" in {
        r.image_id for r in source.records("train")
    }


@pytest.mark.parametrize(
    ("file", "content", "named"),
    [
        ("devkit/cars_meta.mat", b"no .mat file", "cars_meta.mat"),
        ("devkit/cars_train_annos.mat", None, "cars_train_annos.mat"),
    ],
)
def test_a_file_of_the_cars_that_is_wrong_or_missing(tmp_path, file, content, named):
    root = tiny_sets.make_cars(tmp_path, one_table=False)
    (root / file).unlink()
    if content:
        (root / file).write_bytes(content)
    with pytest.raises(DataError, match=named):
        load_source("stanford_cars", root=str(root)).records("train")


def test_labels_of_the_cars_are_needed_for_test(tmp_path):
    """The devkit's own table of the test photos has boxes and no classes."""
    root = tiny_sets.make_cars(tmp_path, one_table=False)
    (root / "cars_test_annos_withlabels.mat").rename(root / "cars_test_annos.mat")
    source = load_source("stanford_cars", root=str(root))
    assert len(source.records("train")) == 12
    with pytest.raises(DataError, match="cars_test_annos_withlabels.mat"):
        source.records("test")


def test_an_unknown_variant_is_named_with_its_line(tmp_path):
    root = tiny_sets.make_aircraft(tmp_path)
    path = root / "data" / "images_variant_test.txt"
    path.write_text("0034313 737-999\n")
    with pytest.raises(DataError, match=f"{path.name}:1: '737-999'"):
        load_source("fgvc_aircraft", root=str(root)).records("test")
