"""CUB-200-2011 as downloaded: folder and archive, splits, labels, boxes, masks."""

import shutil
import tarfile

import numpy as np
import pytest
from PIL import ExifTags, Image

from bas_tf.data.sources.cub import CubSource
from bas_tf.errors import DataError
from tests.data import tiny_sets
from tests.data.tiny_sets import replace_line


@pytest.fixture
def cub(tmp_path):
    return tiny_sets.make_cub(tmp_path)


def test_splits_labels_and_order_come_from_the_tables(cub):
    """Also where the root is the folder above."""
    source = CubSource(root=str(cub.parent))
    train, test = source.records("train"), source.records("test")
    assert [r.label for r in train] == [0] * 4 + [1] * 4 + [2] * 4
    assert [r.label for r in test] == [0, 0, 1, 1, 2, 2]
    assert test[2].image_id == (
        "002.Laysan_Albatross/Laysan_Albatross_0004_711.jpg"  # image 11, fifth of 6
    )


def test_boxes_are_half_open(cub):
    """bounding_boxes.txt says `11 16.0 6.0 16.0 19.0`: x 16 to 32, y 6 to 25."""
    record = CubSource(root=str(cub)).records("test")[2]
    assert "\n11 16.0 6.0 16.0 19.0\n" in (cub / "bounding_boxes.txt").read_text()
    np.testing.assert_array_equal(record.boxes_original, [[16, 6, 32, 25]])


@pytest.mark.parametrize(
    ("line", "corners"),
    [
        ("11 16.0 6.0 0.0 19.0", [16, 6, 16, 25]),  # 16 + 0 = 16: no width
        ("11 16.0 6.0 -4.0 19.0", [16, 6, 12, 25]),  # 16 - 4 = 12: inverted
        ("11 16.0 6.0 4.0 -0.5", [16, 6, 20, 5.5]),
    ],
)
def test_a_box_without_area_stays_one(cub, line, corners):
    replace_line(cub / "bounding_boxes.txt", 11, line)
    record = CubSource(root=str(cub)).records("test")[2]
    np.testing.assert_array_equal(record.boxes_original, [corners])


def test_a_mask_is_what_most_annotators_marked(cub):
    """The first column of each bird has two votes of five, the rest three."""
    record = CubSource(root=str(cub)).records("test")[2]
    expected = np.zeros([30, 40], np.uint8)
    expected[6:25, 17:32] = 255
    np.testing.assert_array_equal(record.load_mask(), expected)


def test_masks_and_boxes_may_be_missing(cub):
    shutil.rmtree(cub.parent / "segmentations")
    replace_line(cub / "bounding_boxes.txt", 11, "")
    record = CubSource(root=str(cub)).records("test")[2]
    assert (record.boxes_original, record.load_mask) == (None, None)


def test_the_archives_are_unpacked_once_and_read_the_same(cub, tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    for folder, name in (("CUB_200_2011", "birds.tgz"), ("segmentations",) * 2):
        name = name.removesuffix(".tgz") + ".tgz"
        with tarfile.open(there / name, "w:gz") as tar:
            tar.add(tmp_path / folder, arcname=folder)
            tar.add(cub / "classes.txt", arcname="attributes.txt")
    unpacked = CubSource(root=str(there / "birds.tgz")).records("test")
    for ours, theirs in zip(
        unpacked, CubSource(root=str(cub)).records("test"), strict=True
    ):
        assert (ours.image_id, ours.label) == (theirs.image_id, theirs.label)
        np.testing.assert_array_equal(ours.boxes_original, theirs.boxes_original)
        np.testing.assert_array_equal(ours.load_image(), theirs.load_image())
        np.testing.assert_array_equal(ours.load_mask(), theirs.load_mask())
    assert sorted(p.name for p in there.iterdir()) == [
        "CUB_200_2011", "birds.tgz", "segmentations", "segmentations.tgz",
    ]  # fmt: skip
    (there / "birds.tgz").write_bytes(b"not looked at again")
    assert len(CubSource(root=str(there / "birds.tgz")).records("test")) == 6


@pytest.mark.parametrize(
    ("added", "name", "share", "message"),
    [
        ("", "CUB_200_2011", 0.5, "cannot be unpacked next to itself"),
        ("classes.txt", "other/classes.txt", 1, "has no folder CUB_200_2011/ in it"),
        ("classes.txt", "CUB_200_2011/../../../out.txt", 1, "cannot be unpacked"),
    ],
    ids=["cut off", "of something else", "writes outside its folder"],
)
def test_a_wrong_archive_leaves_nothing_behind(
    cub, tmp_path, added, name, share, message
):
    archive = tmp_path / "there" / "x.tgz"
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(cub / added, arcname=name)
    content = archive.read_bytes()
    archive.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=f"x.tgz: {message}"):
        CubSource(root=str(archive))
    assert [p.name for p in archive.parent.iterdir()] == ["x.tgz"]
    assert not list(tmp_path.rglob("out.txt"))


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no such file"), ("\n", "is empty")]
)
def test_a_missing_or_empty_table_is_named(cub, content, message):
    (cub / "classes.txt").unlink()
    if content:
        (cub / "classes.txt").write_text(content)
    with pytest.raises(DataError, match=f"classes.txt: {message}"):
        CubSource(root=str(cub))


@pytest.mark.parametrize(
    ("table", "line", "message"),
    [
        ("images.txt", "2", r"images.txt:2: '2'; expected the 2 columns image_id"),
        ("images.txt", "1 a/b.jpg", "images.txt:2: number 1 is there twice"),
        ("images.txt", "x a/b.jpg", "images.txt:2: image_id is 'x'; expected a whole"),
        ("images.txt", "99 a/b.jpg", "images.txt:2: its split is None; known: 0, 1"),
        ("classes.txt", "9 other", "images.txt:7: its class is '2'; known: 1, 9, 3"),
        ("image_class_labels.txt", "2 8", "images.txt:2: its class is '8'"),
        ("train_test_split.txt", "2 7", "images.txt:2: its split is '7'; known: 0, 1"),
        ("bounding_boxes.txt", "2 1 1 nan 5", "boxes.txt:2: a box is four finite"),
        ("bounding_boxes.txt", "2 1 1 1e39 5", "boxes.txt:2: a box is four finite"),
        ("bounding_boxes.txt", "2 inf 1 -inf 5", "boxes.txt:2: a box is four finite"),
        ("bounding_boxes.txt", "2 1 1 w 5", "boxes.txt:2: a box is four finite"),
    ],
)
def test_a_wrong_line_is_named(cub, table, line, message):
    replace_line(cub / table, 2, line)
    with pytest.raises(DataError, match=message):
        CubSource(root=str(cub))


def test_a_photo_with_exif_rotation_stays_as_its_box_was_drawn(cub):
    """The set's boxes lie on the stored pixels, whatever EXIF says."""
    first = CubSource(root=str(cub)).records("train")[0]
    path = cub / "images" / first.image_id
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    with Image.open(path) as image:
        pixels = np.asarray(image)
    Image.fromarray(pixels).save(path, quality=95, subsampling=0, exif=exif)
    tiny_sets.assert_drawn_on_box(
        first.load_image(), first.boxes_original[0], first.label
    )
