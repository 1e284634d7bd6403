"""500 damaged annotation files: each loads or is reported in one line, none crashes.

What loads may have boxes without an area, which tests/data/test_faulty_boxes.py
follows on.
"""

import collections
import json

import numpy as np
import pytest

from bas_tf.data.annotations.coco_boxes import read_coco_boxes
from bas_tf.data.sources.cub import CubSource
from bas_tf.data.sources.folder import FolderSource
from bas_tf.data.sources.ilsvrc import IlsvrcSource
from bas_tf.data.sources.open_images30k import OpenImages30kSource
from bas_tf.errors import DataError
from tests.data import tiny_sets

SPLICES = (
    b"", b"\0", b"\xff\xfe", b"\n", b'"', b",", b";", b" ", b"-", b"nan", b"1e999",
    b"9" * 50, b"<", b"&lol;", b"]]>", b"<!DOCTYPE a [", b"<?xml", b"{", b"}", b"null",
    b"\\u0000", b"\\ud800", b"../", b"/" * 300, b"a" * 300, b"\xe2\x80\xa8", b"\r",
    b"e", b".", b"_",
)  # fmt: skip


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """One or two changes: bytes replaced, spliced in, cut off, doubled or dropped."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 3)):
        at, length = rng.integers(len(data) + 1), int(rng.integers(1, 12))
        match rng.integers(5):
            case 0:
                data[at : at + length] = rng.bytes(length)
            case 1 | 2:
                splice = SPLICES[rng.integers(len(SPLICES))]
                data[at : at + rng.integers(2) * length] = splice
            case 3:
                data = data[:at]
            case 4:
                data[at:at] = data[at : at + 5 * length]
    return bytes(data)


def coco_text() -> str:
    """Boxes of the photo folder's val photos."""
    names = [f"val/{c}/{i}.jpg" for c in ("cat", "dog") for i in (0, 1)]
    images = [{"id": i, "file_name": name} for i, name in enumerate(names)]
    annotations = [{"image_id": i, "bbox": [1, 2.5, 30, 40]} for i in range(4)]
    return json.dumps({"images": images, "annotations": annotations})


def folder_case(form: str, text: str | None = None):
    def make(tmp_path, photo_folder):
        if text is not None:
            (photo_folder / "boxes.csv").unlink()
            (photo_folder / form).parent.mkdir(parents=True, exist_ok=True)
            (photo_folder / form).write_text(text)
        return photo_folder / form, FolderSource, photo_folder, "val"

    return make


def set_case(source, split: str, file: str, make_set):
    def make(tmp_path, photo_folder):
        root = make_set(tmp_path / "set")
        return root / file, source, root, split

    return make


def cub_case(table: str):
    return set_case(CubSource, "test", table, tiny_sets.make_cub)


def ilsvrc_case(file: str, write):
    def make_set(root):
        write(tiny_sets.make_ilsvrc(root, flat=True))
        return root

    return set_case(IlsvrcSource, "val", file, make_set)


def write_xml(root):
    tiny_sets.write_xml_folder(root / "val")


MASKS = "metadata/OpenImages/val/localization.txt"


CASES = {  # how many of each
    "csv": (90, folder_case("boxes.csv")),
    "json": (120, folder_case("boxes.json", coco_text())),
    "xml": (
        120,
        folder_case(
            "boxes/val/cat/0.xml",
            tiny_sets.voc_xml([(1, 2, 30, 40), (5, 5, 6, 6)], size_wh=(80, 60)),
        ),
    ),
    "cub images": (20, cub_case("images.txt")),
    "cub boxes": (30, cub_case("bounding_boxes.txt")),
    "cub splits": (20, cub_case("train_test_split.txt")),
    "ilsvrc xml": (30, ilsvrc_case("val/ILSVRC2012_val_00000001.xml", write_xml)),
    "ilsvrc val_gt": (30, ilsvrc_case("val_gt.txt", tiny_sets.write_val_gt)),
    "ilsvrc localization": (
        20,
        ilsvrc_case("localization.txt", tiny_sets.write_localization),
    ),
    "open images masks": (
        20,
        set_case(OpenImages30kSource, "val", MASKS, tiny_sets.make_open_images),
    ),
}


def test_there_are_500():
    assert sum(count for count, _ in CASES.values()) == 500


@pytest.mark.parametrize("case", CASES)
def test_a_damaged_file_loads_or_is_reported(tmp_path, photo_folder, case):
    count, make = CASES[case]
    path, source, root, split = make(tmp_path, photo_folder)

    def load():
        return source(root=str(root)).records(split)

    assert len(load()) > 0
    whole, rng = path.read_bytes(), np.random.default_rng(list(case.encode()))
    outcomes = collections.Counter()
    for _ in range(count):
        path.write_bytes(mutate(whole, rng))
        try:
            records = load()
        except DataError as error:
            assert len(str(error).splitlines()) == 1
            assert str(tmp_path) in str(error)
            outcomes["reported"] += 1
        else:
            for record in records:
                assert_sound(record.boxes_original)
            outcomes["loaded"] += 1
    assert outcomes["reported"] > 0
    assert outcomes["loaded"] > 0 or count < 90  # a few changes may all be fatal


def assert_sound(boxes: np.ndarray | None) -> None:
    if boxes is not None:
        assert boxes.dtype == np.float32
        assert boxes.ndim == 2
        assert boxes.shape[1] == 4
        assert np.isfinite(boxes).all()


@pytest.mark.parametrize("text", ["", "\0", "[" * 10**6, "9" * 10**5])
def test_files_that_are_nothing_at_all(tmp_path, text):
    (tmp_path / "boxes.json").write_text(text)
    with pytest.raises(DataError, match="boxes.json"):
        read_coco_boxes(tmp_path / "boxes.json")
