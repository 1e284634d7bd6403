"""Shards read back as the source they came from; damage is reported."""

import random

import numpy as np
import pytest
from PIL import Image

from bas_tf.data.drawings.source import SyntheticSource
from bas_tf.data.records import DataError
from bas_tf.data.sources import load_source, shards
from bas_tf.data.sources.folder import FolderSource
from bas_tf.data.sources.shards import ShardSource
from bas_tf.errors import UserError
from tests.data import tiny_sets, tiny_tfds
from tests.written_source import WrittenSource


def make_folder(parent):
    """Photos with boxes, one turned by EXIF, one without a box, one with a mask."""
    root, boxes = parent / "photos", {}
    for split, count in (("train", 4), ("val", 2)):
        for i in range(count):
            name = f"{split}/{'ab'[i % 2]}/photo ä {i}.{'jpg' if i else 'png'}"
            pixels = np.random.default_rng(i).integers(0, 256, [30, 50, 3])
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            exif = Image.Exif()
            exif[0x0112] = 6 if i == 1 else 1
            Image.fromarray(pixels.astype(np.uint8)).save(path, exif=exif)
            if i != 2:
                boxes[name] = [(1.5, 2, 10 + i, 20), (3, 3, 9, 9)][: i + 1]
    mask = np.zeros([50, 30], np.uint8)
    mask[5:20, 5:20], mask[20:, :] = 255, 128
    tiny_sets.save(root / "masks/val/b/photo ä 1.png", mask)
    tiny_sets.write_csv(root, boxes)
    labels = ["image,classes", "train/a/photo ä 0.png,b;a"]
    tiny_sets.write_lines(root / "labels.csv", labels)
    return FolderSource(root=str(root))


def published(name, make):
    return lambda parent: load_source(name, root=str(make(parent)))


SOURCES = {
    "folder": (make_folder, ["train", "val"]),
    "open_images30k": (
        published("open_images30k", tiny_sets.make_open_images), ["train", "val"],
    ),
    "synthetic": (
        lambda _: SyntheticSource(image_size=(40, 36), num_images={"train": 5}),
        ["train"],
    ),
    "tfds birds": (
        published(tiny_tfds.BIRDS, tiny_tfds.make_birds), ["train", "test"],
    ),
}  # fmt: skip


def assert_equal_records(ours, theirs):
    assert (ours.image_id, ours.labels) == (theirs.image_id, theirs.labels)
    assert (ours.boxes_original is None) == (theirs.boxes_original is None)
    if theirs.boxes_original is not None:
        assert ours.boxes_original.dtype == np.float32
        np.testing.assert_array_equal(ours.boxes_original, theirs.boxes_original)
    np.testing.assert_array_equal(ours.load_image(), theirs.load_image())
    assert ours.image.read_size_wh() == theirs.image.read_size_wh()
    assert (ours.load_mask is None) == (theirs.load_mask is None)
    if theirs.load_mask is not None:
        np.testing.assert_array_equal(ours.load_mask(), theirs.load_mask())


def test_a_photo_whose_name_is_not_utf8(photo_folder, latin1_photo, tmp_path):
    source = FolderSource(root=str(photo_folder))
    shards.write_shards(source, ["val"], tmp_path / "shards")
    records = ShardSource(root=str(tmp_path / "shards")).records("val")
    assert latin1_photo.name in {record.image_id.split("/")[-1] for record in records}
    for ours, theirs in zip(records, source.records("val"), strict=True):
        assert_equal_records(ours, theirs)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("bytes_per_file", [1, 2000, 1 << 20])
@pytest.mark.parametrize("name", SOURCES)
def test_every_source_reads_back_equal(tmp_path, name, bytes_per_file):
    make, splits = SOURCES[name]
    source, folder = make(tmp_path / "in"), tmp_path / "out" / "shards"
    counts = shards.write_shards(source, splits, folder, bytes_per_file=bytes_per_file)
    again = ShardSource(root=str(folder))
    assert (again.class_names, again.splits) == (source.class_names, tuple(splits))
    for split in splits:
        ours, theirs = again.records(split), source.records(split)
        assert len(ours) == len(theirs) == counts[split] > 0
        for one, other in zip(ours, theirs, strict=True):
            assert_equal_records(one, other)
        files = list(folder.glob(f"{split}-*.array_record"))
        if bytes_per_file == 1:
            assert len(files) == counts[split]
        if bytes_per_file == 1 << 20:
            assert len(files) == 1
    assert list(folder.parent.iterdir()) == [folder]  # nothing temporary is left


@pytest.fixture
def source(tmp_path):
    return make_folder(tmp_path)


@pytest.fixture
def folder(tmp_path, source):
    """The shards of a folder source, three records a file or so."""
    folder = tmp_path / "shards"
    shards.write_shards(source, ["train", "val"], folder, bytes_per_file=5000)
    return folder


def test_image_files_are_taken_over_byte_by_byte(folder, source, tmp_path):
    for one in ShardSource(root=str(folder)).records("train"):
        content, upright = one.image.encode()
        assert content == (tmp_path / "photos" / one.image_id).read_bytes()
        assert upright


@pytest.mark.parametrize(
    ("damage", "fewest", "most"),
    [
        (lambda content, at: content[:at] + b"\xff" * 4 + content[at + 4 :], 1, 1),
        (lambda content, at: content[:at], 1, 4),
    ],
    ids=["changed", "cut off"],
)
def test_damage_is_found_and_named(folder, damage, fewest, most):
    """A changed record costs itself alone."""
    path = folder / "train-00000.array_record"
    content = path.read_bytes()
    path.write_bytes(damage(content, content.index(b"\xff\xd8") + 600))
    errors = []
    for record in ShardSource(root=str(folder)).records("train"):
        try:
            record.load_image()
        except DataError as error:
            errors.append(str(error))
    assert fewest <= len(errors) <= most
    assert all(f"{path}: record " in error for error in errors)


def test_a_missing_file_is_found_at_once(folder):
    (folder / "train-00001.array_record").unlink()
    with pytest.raises(DataError, match=r"train-00001.array_record: no such file"):
        ShardSource(root=str(folder)).records("train")


def test_mutated_tables_are_read_or_refused_in_one_line(folder):
    """What is read then gives its images, or says which it cannot."""
    path = folder / shards.TABLE
    original, refused = path.read_bytes(), 0
    for seed in range(250):
        rng, content = random.Random(seed), bytearray(original)
        for _ in range(rng.choice([1, 1, 4])):
            content[rng.randrange(len(content))] = rng.randrange(256)
        if seed % 5 == 0:
            content = content[: rng.randrange(len(content))]
        path.write_bytes(content)
        try:
            for record in ShardSource(root=str(folder)).records("train"):
                record.load_image()
        except DataError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 50


def test_nothing_is_overwritten(folder, source):
    before = sorted((p.name, p.read_bytes()) for p in folder.iterdir())
    with pytest.raises(UserError, match=f"--write_shards={folder}: exists"):
        shards.write_shards(source, ["val"], folder)
    assert sorted((p.name, p.read_bytes()) for p in folder.iterdir()) == before


def test_an_unreadable_photo_ends_it_and_nothing_is_left(tmp_path, source):
    bad = tmp_path / "photos/val/b/photo ä 1.jpg"
    bad.write_bytes(bad.read_bytes()[:200])
    with pytest.raises(DataError, match="photo ä 1.jpg: not a readable image"):
        shards.write_shards(source, ["train", "val"], tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["photos"]


def test_skipped_photos_are_counted_and_listed(tmp_path, source):
    bad = tmp_path / "photos/val/b/photo ä 1.jpg"
    bad.write_bytes(bad.read_bytes()[:200])
    folder = tmp_path / "out"
    counts = shards.write_shards(source, ["train", "val"], folder, on_bad_image="skip")
    assert counts == {"train": 4, "val": 1}
    assert str(bad) in (folder / "skipped_images_val.txt").read_text()
    (left,) = ShardSource(root=str(folder)).records("val")
    assert left.image_id == "val/a/photo ä 0.png"


def test_no_room_is_reported_in_one_line(tmp_path, source):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="--write_shards=.*cannot be written"):
        shards.write_shards(source, ["train"], tmp_path / "file" / "out")


def test_a_split_without_records_is_refused(tmp_path):
    with pytest.raises(DataError, match="split 'train' has no images"):
        shards.write_shards(WrittenSource({"train": []}), ["train"], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
