"""A box without area, in each form of file: read, reported by the check, left out.

One image has an inverted and an empty box and no other; another has an empty one next
to its own. No training needs to know.
"""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from bas_tf.data.records import Record, Source
from bas_tf.data.sources.cub import CubSource
from bas_tf.data.sources.folder import FolderSource
from bas_tf.data.sources.ilsvrc import IlsvrcSource
from bas_tf.data.sources.tfds_source import TfdsSource
from bas_tf.evaluators import ground_truth
from bas_tf.jobs import data_check
from tests.data import tiny_sets, tiny_tfds

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

# As corners: x from 30 back to 10, and no height at 8. Two boxes of two images.
INVERTED, EMPTY, GOOD = (30, 5, 10, 25), (4, 8, 20, 8), (4, 5, 20, 25)
BOXES = {"first": [INVERTED, EMPTY], "second": [GOOD, EMPTY]}


def make_folder(write, root: Path) -> tuple[Source, str]:
    """A folder source of two classes."""
    for split, shift in (("train", 1), ("val", 0)):
        for label, name in enumerate(("cat", "dog")):
            path = root / split / name / "0.jpg"
            tiny_sets.save(path, tiny_sets.draw(label, shift))
    write(root, {"val/cat/0.jpg": BOXES["first"], "val/dog/0.jpg": BOXES["second"]})
    return FolderSource(root=str(root)), "val"


make_csv = functools.partial(make_folder, tiny_sets.write_csv)
make_coco = functools.partial(make_folder, tiny_sets.write_coco)
# From 1 and inclusive, so what has no height begins after its end: 8 + 1 to 8.
make_voc = functools.partial(make_folder, tiny_sets.write_voc)


def make_cub(root: Path) -> tuple[Source, str]:
    """One box an image: images 5 and 6 are the first two of test."""
    folder = tiny_sets.make_cub(root)
    for number, (x0, y0, x1, y1) in ((5, INVERTED), (6, EMPTY)):
        line = f"{number} {x0} {y0} {x1 - x0} {y1 - y0}"
        tiny_sets.replace_line(folder / "bounding_boxes.txt", number, line)
    return CubSource(root=str(folder)), "test"


def make_ilsvrc(write, folder: str, root: Path) -> tuple[Source, str]:
    tiny_sets.make_ilsvrc(root, flat=False)
    images = zip(tiny_sets.ilsvrc_val()[:2], BOXES.values(), strict=True)
    write(root / folder, [(stem, label, boxes) for (stem, label, _), boxes in images])
    return IlsvrcSource(root=str(root)), "val"


def make_tfds(root: Path) -> tuple[Source, str]:
    """ymin, xmin, ymax, xmax as shares of 40 x 30, in unchecked numbers."""
    features = {
        "image": tfds.features.Image(encoding_format="png"),
        "label": tfds.features.ClassLabel(names=["cat", "dog"]),
        "bbox": tfds.features.Tensor(shape=(2, 4), dtype=np.float32),
    }
    examples = [
        {
            "image": tiny_sets.draw(label, 0),
            "label": label,
            "bbox": np.float32(boxes)[:, [1, 0, 3, 2]] / np.float32([30, 40, 30, 40]),
        }
        for label, boxes in enumerate(BOXES.values())
    ]
    tiny_tfds.store(root, features, examples)
    return TfdsSource(name="tiny_set", data_dir=str(root)), "train"


def check_and_evaluate(
    source: Source, split: str
) -> tuple[list[tuple[str, str]], ground_truth.GroundTruth, Sequence[Record]]:
    """What the check finds wrong, and what evaluation measures against."""
    records = source.records(split)
    faults = [
        (f.kind, f.message)
        for f in data_check.check_source(source).faults
        if f.kind != "copies_across_splits"  # the tiny sets draw val as train
    ]
    size = tiny_sets.SIZE_WH  # no crop: boxes stay where they are
    truth = ground_truth.load_ground_truth(
        records, resize_size_wh=size, crop_size_wh=size
    )
    return faults, truth, records


FORMS = {
    "csv": make_csv,
    "coco": make_coco,
    "tfds": make_tfds,
    "xml": functools.partial(make_ilsvrc, tiny_sets.write_xml_folder, "bbox_val"),
    "val_gt": functools.partial(make_ilsvrc, tiny_sets.write_val_gt, ""),
    "localization": functools.partial(make_ilsvrc, tiny_sets.write_localization, ""),
}


@pytest.mark.parametrize("make", FORMS.values(), ids=FORMS)
def test_it_is_listed_left_out_and_counted(tmp_path, make):
    """One inverted and two empty boxes; of four the good one is left."""
    faults, truth, records = check_and_evaluate(*make(tmp_path))
    with_boxes = [i for i, r in enumerate(records) if r.boxes_original is not None]
    assert [len(records[i].boxes_original) for i in with_boxes] == [2, 2]
    # ILSVRC's image 1 is of the third class, so it comes after image 2.
    (first,) = (
        i for i in with_boxes if (records[i].boxes_original[0] == INVERTED).all()
    )
    second = sum(with_boxes) - first
    names = records[first].image_id, records[second].image_id
    assert sorted(faults) == sorted([
        ("box_inverted", f"{names[0]}: box [30, 5, 10, 25] is inverted"),
        ("box_empty", f"{names[0]}: box [4, 8, 20, 8] is empty"),
        ("box_empty", f"{names[1]}: box [4, 8, 20, 8] is empty"),
    ])  # fmt: skip
    assert truth.num_empty_boxes == 3
    assert truth.images.tolist() == [second]
    np.testing.assert_allclose(truth.boxes[0], [GOOD], rtol=1e-6)


def test_voc_files_tell_of_the_corners_as_they_are_written(tmp_path):
    """INVERTED is written 31, 6, 10, 25 and EMPTY 5, 9, 20, 8; none is moved by one."""
    faults, truth, _ = check_and_evaluate(*make_voc(tmp_path))
    assert faults == [
        ("box_inverted", "val/cat/0.jpg: box [31, 6, 10, 25] is inverted"),
        ("box_inverted", "val/cat/0.jpg: box [5, 9, 20, 8] is inverted"),
        ("box_inverted", "val/dog/0.jpg: box [5, 9, 20, 8] is inverted"),
    ]
    assert truth.num_empty_boxes == 3
    assert truth.images.tolist() == [1]
    np.testing.assert_array_equal(truth.boxes[0], [GOOD])


def test_a_birds_only_box(tmp_path):
    """Six birds in test; the first two lose their only box."""
    faults, truth, records = check_and_evaluate(*make_cub(tmp_path))
    assert faults == [
        ("box_inverted", f"{records[0].image_id}: box [30, 5, 10, 25] is inverted"),
        ("box_empty", f"{records[1].image_id}: box [4, 8, 20, 8] is empty"),
    ]
    assert truth.num_empty_boxes == 2
    assert truth.images.tolist() == [2, 3, 4, 5]
