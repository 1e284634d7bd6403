"""tfds:NAME, read from data sets that tensorflow-datasets itself has prepared."""

import shutil

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from bas_tf.data.sources import load_source
from bas_tf.data.sources.cub import CubSource
from bas_tf.data.sources.tfds_source import TfdsSource
from bas_tf.errors import DataError
from tests.data import tiny_sets, tiny_tfds
from tests.data.tiny_sets import SYNSETS
from tests.data.tiny_tfds import store

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Any attempt to connect is an error."""

    def refuse(*args, **kwargs):
        raise AssertionError("tried the network")

    monkeypatch.setattr("socket.socket.connect", refuse)


def plain_features(**more) -> dict:
    return {
        "image": tfds.features.Image(encoding_format="png"),
        "label": tfds.features.ClassLabel(names=["ant", "bee", "cat"]),
        **more,
    }


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    return tiny_tfds.make_birds(tmp_path_factory.mktemp("birds"))


def test_birds_have_the_boxes_masks_and_pixels_of_the_raw_archive(birds):
    raw = {
        record.image_id: record
        for split in ("train", "test")
        for record in CubSource(root=str(birds.parent)).records(split)
    }
    source = load_source(tiny_tfds.BIRDS, root=str(birds))
    assert sorted(source.splits) == ["test", "train"]
    for split, count in (("train", 12), ("test", 6)):
        records = source.records(split)
        assert len(records) == count
        for record in records:
            other = raw.pop(record.image_id.partition("/images/")[2])
            assert record.label == other.label
            np.testing.assert_allclose(
                record.boxes_original, other.boxes_original, rtol=0, atol=1e-5
            )
            np.testing.assert_array_equal(record.load_image(), other.load_image())
            np.testing.assert_array_equal(record.load_mask(), other.load_mask())
    assert not raw


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("imagenet")
    tiny_tfds.prepare_imagenet(folder)
    return load_source("tfds:imagenet2012", root=str(folder / "tfds"))


def test_imagenet_from_its_tar_files(imagenet):
    source = imagenet
    assert len(source.class_names) == 1000
    assert source.class_names[:2] == SYNSETS[:2]
    train = {record.image_id: record for record in source.records("train")}
    assert len(train) == 12
    for record in train.values():
        synset = record.image_id.partition("_")[0]
        assert source.class_names[record.label] == synset
        assert record.boxes_original is record.load_mask is None
    one = train["n01443537_2.JPEG"]
    box = np.array(tiny_sets.box_of(1, 2))
    tiny_sets.assert_drawn_on_box(one.load_image(), box, 1)


def test_val_is_found_as_validation(imagenet):
    assert {"train", "validation", "val"} <= set(imagenet.splits)
    records = imagenet.records("val")
    assert sorted(record.image_id for record in records) == [
        f"ILSVRC2012_val_{i:08d}.JPEG" for i in range(1, 7)
    ]
    # The first images of the official list are a sea snake and two ski pictures.
    labels = {record.image_id[-7:-5]: record.label for record in records}
    assert [labels[number] for number in ("01", "02", "03")] == [65, 970, 230]


@pytest.mark.parametrize(
    ("name", "num_classes", "key"),
    [("stanford_dogs", 120, "objects"), ("cars196", 196, "bbox")],
)
def test_boxes_are_features_of_public_sets(tmp_path, name, num_classes, key):
    """Their registered features with one box, whose place a record gives in pixels."""
    features = dict(tfds.builder(name).info.features)
    box = tfds.features.BBox(ymin=0.1, xmin=0.25, ymax=0.5, xmax=0.75)
    values = {
        "image/filename": "a.jpg",
        "objects": {"bbox": [box]},
        "bbox": box,
        "id": "a",
    }
    example = {"image": tiny_sets.draw(0, 0), "label": 7, **values}
    store(tmp_path, features, [{key: example[key] for key in features}], name=name)
    source = TfdsSource(name=name, data_dir=str(tmp_path))
    assert len(source.class_names) == num_classes and key in features
    (record,) = source.records("train")
    assert record.label == 7
    np.testing.assert_allclose(record.boxes_original, [[10, 3, 30, 15]], rtol=1e-5)


def test_several_boxes_and_those_without_area(tmp_path):
    """40 x 30 pixels: 0.25 of the width is 10, 0.5 of the height 15.

    ymin, xmin, ymax, xmax; the second is empty, as sets mark what was not found.
    """
    box = tfds.features.BBox
    objects = [
        box(0.1, 0.25, 0.5, 0.75),
        box(0.0, 0.0, 0.0, 0.0),
        box(0.5, 0.0, 1.0, 1.0),
    ]
    features = plain_features(
        objects=tfds.features.Sequence({"bbox": tfds.features.BBoxFeature()})
    )
    examples = [
        {"image": tiny_sets.draw(0, 0), "label": 2, "objects": {"bbox": objects}},
        {"image": tiny_sets.draw(0, 0), "label": 0, "objects": {"bbox": []}},
    ]
    store(tmp_path, features, examples)
    source = TfdsSource(name="tiny_set", data_dir=str(tmp_path))
    first, second = source.records("train")
    np.testing.assert_allclose(
        first.boxes_original,
        [[10, 3, 30, 15], [0, 0, 0, 0], [0, 15, 40, 30]],
        rtol=1e-6,
    )
    assert second.boxes_original.shape == (0, 4)
    assert (first.image_id, second.image_id) == ("train/0000000", "train/0000001")
    np.testing.assert_array_equal(first.load_image(), tiny_sets.draw(0, 0))


def box_set(tmp_path, feature, value) -> TfdsSource:
    """A record whose `bbox` is of another type than tensorflow-datasets' own."""
    example = {"image": tiny_sets.draw(0, 0), "label": 0, "bbox": value}
    store(tmp_path, plain_features(bbox=feature), [example])
    return TfdsSource(name="tiny_set", data_dir=str(tmp_path))


def test_an_inverted_box_stays_one(tmp_path):
    """In 40 x 30 pixels, y from 0.5 to 0.1 is 15 to 3, x from 0.25 to 0.75 10 to 30."""
    numbers = tfds.features.Tensor(shape=(4,), dtype=np.float32)
    source = box_set(tmp_path, numbers, np.float32([0.5, 0.25, 0.1, 0.75]))
    np.testing.assert_allclose(
        source.records("train")[0].boxes_original, [[10, 15, 30, 3]], rtol=1e-6
    )


@pytest.mark.parametrize(
    "value",
    [[0, 0, 1], [0, 0, np.nan, 1], [0, 0, 1, np.inf], [0, 0, 3e38, 1], "a box"],
)
def test_what_is_not_four_finite_numbers_is_refused(tmp_path, value):
    """3e38 is a float32, but 30 of it are not."""
    feature = tfds.features.Text()
    if not isinstance(value, str):
        value = np.float32(value)
        feature = tfds.features.Tensor(shape=value.shape, dtype=np.float32)
    source = box_set(tmp_path, feature, value)
    with pytest.raises(DataError, match="record 1: bbox is not boxes of four finite"):
        source.records("train")


def mask_set(tmp_path, values, *, name="tiny_set"):
    """A record whose mask has a row of each value."""
    mask = np.repeat(np.array(values, np.uint8)[:, None, None], 5, axis=1)
    features = plain_features(
        segmentation_mask=tfds.features.Image(shape=(None, None, 1))
    )
    example = {"image": tiny_sets.draw(0, 0), "label": 0, "segmentation_mask": mask}
    store(tmp_path, features, [example], name=name)
    return TfdsSource(name=name, data_dir=str(tmp_path)).records("train")[0]


def test_masks_of_votes_and_of_the_pets(tmp_path):
    votes = mask_set(tmp_path, [0, 102, 127, 128, 153, 255]).load_mask()
    assert votes[:, 0].tolist() == [0, 0, 0, 255, 255, 255]
    pets = mask_set(tmp_path, [1, 2, 3], name="oxford_iiit_pet").load_mask()
    assert pets[:, 0].tolist() == [255, 0, 128]


def test_masks_of_unknown_numbers_are_refused(tmp_path):
    record = mask_set(tmp_path, [0, 1, 2])
    with pytest.raises(DataError, match="segmentation_mask holds the numbers 0 to 2"):
        record.load_mask()


@pytest.fixture
def plain(tmp_path):
    """Three records without boxes, in tmp_path; returns the version's folder."""
    examples = [{"image": tiny_sets.draw(i, 0), "label": i} for i in range(3)]
    store(tmp_path, plain_features(), examples)
    return tmp_path / "tiny_set" / "1.0.0"


def test_the_newest_version_is_read_or_the_one_asked_for(plain, tmp_path):
    for version in ("1.10.0", "1.9.0"):
        shutil.copytree(plain, plain.parent / version)
    name = plain.parent / "1.10.0" / "label.labels.txt"
    name.write_text("new\nbee\ncat\n")

    def first_class(name: str) -> str:
        return TfdsSource(name=name, data_dir=str(tmp_path)).class_names[0]

    assert first_class("tiny_set") == "new"
    assert first_class("tiny_set:1.9.0") == "ant"
    with pytest.raises(DataError, match="holds '1.0.0', '1.10.0', '1.9.0'; expected"):
        first_class("tiny_set:3.0.0")


def test_the_default_folder_is_the_librarys(plain, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert len(load_source("tfds:tiny_set", root="").records("train")) == 3


def test_a_set_that_is_not_prepared_is_named_with_how_to(plain, tmp_path):
    with pytest.raises(DataError) as error:
        TfdsSource(name="caltech_birds2011", data_dir=str(tmp_path))
    asked = tmp_path / "caltech_birds2011"
    assert str(error.value) == (
        f"{tmp_path}: holds 'downloads', 'tiny_set'; expected {asked}/<version>/ with "
        f"dataset_info.json, as `tfds build caltech_birds2011 --data_dir={tmp_path}` "
        "makes it"
    )
    with pytest.raises(DataError, match="'tfds:'; expected tfds:NAME"):
        TfdsSource(name="", data_dir=str(tmp_path))
    with pytest.raises(DataError, match="1.0.0: no split 'test'; it has train"):
        TfdsSource(name="tiny_set", data_dir=str(tmp_path)).records("test")


def test_a_set_of_something_else_is_refused(tmp_path):
    store(tmp_path, {"text": tfds.features.Text()}, [{"text": "a"}])
    with pytest.raises(DataError, match="has the features text; expected an image and"):
        TfdsSource(name="tiny_set", data_dir=str(tmp_path))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("features.json", "{", "", "not a prepared data set"),
        ("dataset_info.json", '"tfrecord"', '"array_record"', "its files are array_re"),
    ],
)
def test_damaged_metadata_and_other_forms_are_named(
    plain, tmp_path, file, old, new, message
):
    text = (plain / file).read_text()
    (plain / file).write_text(text.replace(old, new))
    with pytest.raises(DataError, match=f"1.0.0: {message}"):
        TfdsSource(name="tiny_set", data_dir=str(tmp_path))


@pytest.fixture
def shard(plain):
    (path,) = plain.glob("*.tfrecord*")
    return path


def records_of(shard):
    return TfdsSource(name="tiny_set", data_dir=shard.parents[2]).records("train")


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (lambda content: content[:-1], "damaged or cut off"),
        (lambda content: content[: len(content) // 2], "damaged or cut off"),
        (lambda content: content[:7], "holds 0 records, should hold 3"),
        (lambda content: b"", "holds 0 records, should hold 3"),
        (lambda content: content.replace(b"PNG", b"pNG", 1), "damaged or cut off"),
    ],
)
def test_a_damaged_or_cut_off_file_is_named(shard, kept, message):
    shard.write_bytes(kept(shard.read_bytes()))
    with pytest.raises(DataError, match=f"{shard.name}.*: {message}"):
        records_of(shard)


def test_a_record_with_a_broken_image_is_named(shard):
    contents = [r.numpy() for r in tf.data.TFRecordDataset(str(shard))]
    with tf.io.TFRecordWriter(str(shard)) as writer:
        for content in contents:
            writer.write(content.replace(b"\x89PNG", b"none"))
    with pytest.raises(DataError, match=f"{shard.name}, record 1: image: not a readab"):
        records_of(shard)[0].load_image()


def test_files_that_change_after_opening_are_named(shard):
    record = records_of(shard)[2]
    shard.write_bytes(shard.read_bytes()[:-20])
    with pytest.raises(DataError, match=f"{shard.name}: changed since it was opened"):
        record.load_image()
    shard.unlink()
    with pytest.raises(DataError, match=f"{shard.name}: changed since it was opened"):
        record.load_image()
