"""Each format, written and read back: by our readers, by hand, by pycocotools."""

import dataclasses
import json
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import yaml

from bas_tf.annotation import coco, crops, cvat, label_studio, voc, yolo
from bas_tf.annotation.data_set import Object, Photo
from bas_tf.annotation.settings import FORMATS
from bas_tf.data import decode
from bas_tf.data.annotations.box_files import BoxFile
from bas_tf.data.sources.folder import FolderSource
from bas_tf.errors import DataError
from bas_tf.refinement import masks
from tests.annotation.conftest import CLASSES, NAMES, hashes_of, write_photo


def boxes_of(photo) -> np.ndarray:
    return np.array([found.box for found in photo.objects])


def fill(points: np.ndarray, size_wh) -> np.ndarray:
    """The pixels of an outline as trainers draw it: fractions are dropped."""
    drawn = np.zeros(size_wh[::-1], np.uint8)
    return cv2.fillPoly(drawn, [points.astype(np.int32)], 1).astype(bool)


def without_holes(mask: np.ndarray) -> np.ndarray:
    contours, _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    filled = np.zeros(mask.shape, np.uint8)
    return cv2.drawContours(filled, contours, -1, 1, cv2.FILLED).astype(bool)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / (a | b).sum()


@pytest.mark.parametrize(
    ("form", "file", "read_as", "within"),
    [
        ("coco", coco.FILE, "boxes.json", 0.011),  # corners and sizes are rounded
        ("cvat", cvat.FILE, "boxes.json", 0.011),
        ("voc", voc.FOLDER, "boxes", 0.5),  # whole pixels
    ],
)
def test_our_readers_find_every_box_on_its_photo(
    data, tmp_path, form, file, read_as, within
):
    """They compare the stated size with the upright photo's."""
    FORMATS[form](data, tmp_path / "out")
    (tmp_path / "out" / file).rename(data.root / read_as)
    read = BoxFile(
        data.root, NAMES, splits=("train", "val"), class_names=CLASSES,
        photo_path=lambda name: data.root / name,
    )  # fmt: skip
    assert not read.faults and not read.notes
    for photo in data.photos():
        found = read.of(photo.name)
        assert not found.faults and not found.slips
        np.testing.assert_allclose(found.boxes, boxes_of(photo), atol=within)


def test_coco_has_what_its_readers_ask_for(data, tmp_path):
    coco.write(data, tmp_path)
    document = json.loads((tmp_path / coco.FILE).read_text())
    assert [(c["id"], c["name"]) for c in document["categories"]] == [
        *enumerate(CLASSES, start=1)
    ]
    ids = [entry["id"] for entry in document["annotations"]]
    assert ids == list(range(1, len(NAMES) + 2))
    *scored, last = document["annotations"]
    assert "score" not in last and last["attributes"] == {"degenerate": True}
    objects = [found for photo in data.photos() for found in photo.objects]
    for entry, found in zip(scored, objects, strict=False):
        assert entry["score"] == pytest.approx(found.score, abs=1e-6)
        assert CLASSES[entry["category_id"] - 1] == found.label
        x, y, width, height = entry["bbox"]
        if not data.has_masks:
            assert entry["area"] == pytest.approx(width * height, abs=0.01)
            assert entry["segmentation"] == []
            continue
        mask = masks.from_run_lengths(entry["segmentation"])
        assert entry["area"] == mask.sum()
        assert (
            mask[int(y) : int(y + height), int(x) : int(x + width)].sum() == mask.sum()
        )


def test_pycocotools_reads_the_same_boxes_and_pixels(data, tmp_path):
    pycocotools = pytest.importorskip("pycocotools.coco")
    mask_tools = pytest.importorskip("pycocotools.mask")
    coco.write(data, tmp_path)
    read = pycocotools.COCO(str(tmp_path / coco.FILE))
    images = {image["file_name"]: image for image in read.imgs.values()}
    assert len(images) == len(NAMES)
    for photo in data.photos():
        image = images[photo.name]
        assert (image["width"], image["height"]) == photo.size_wh
        entries = read.loadAnns(read.getAnnIds(imgIds=[image["id"]]))
        for entry, found in zip(entries, photo.objects, strict=True):
            x0, y0, x1, y1 = found.box
            expected = [x0, y0, x1 - x0, y1 - y0]
            np.testing.assert_allclose(entry["bbox"], expected, atol=0.011)
            if found.mask is not None:
                np.testing.assert_array_equal(
                    read.annToMask(entry), masks.from_run_lengths(found.mask)
                )
                np.testing.assert_allclose(
                    mask_tools.toBbox(read.annToRLE(entry)), expected, atol=0.011
                )


def test_yolo_has_a_copy_and_a_label_file_of_each_photo(data, tmp_path):
    """Of a b.jpg, a b.png and A B.jpg each its own; the originals stay as they are."""
    before = hashes_of(data.root)
    output = tmp_path / "out"
    yolo.write(data, output)
    assert hashes_of(data.root) == before
    copies = hashes_of(output / yolo.IMAGES)
    assert sorted(copies.values()) == sorted(before.values())
    description = yaml.safe_load((output / yolo.FILE).read_text())
    assert description == {
        "train": "images/train", "val": "images/val", "names": dict(enumerate(CLASSES))
    }  # fmt: skip
    by_hash = {digest: name for name, digest in copies.items()}
    for photo in data.photos():
        copy = by_hash[before[photo.name]]
        text = (output / yolo.LABELS / copy).with_suffix(".txt").read_text()
        rows = [np.array(line.split(), float) for line in text.splitlines()]
        for row, found in zip(rows, photo.objects, strict=True):
            assert CLASSES[int(row[0])] == found.label
            points = row[1:].reshape(-1, 2) * photo.size_wh
            if data.has_masks:
                box = np.concatenate([points.min(axis=0), points.max(axis=0)])
            else:
                centre, size = points
                box = np.concatenate([centre - size / 2, centre + size / 2])
            np.testing.assert_allclose(box, found.box, atol=0.5)
            if found.mask is not None:
                mask = without_holes(masks.from_run_lengths(found.mask))
                assert iou(fill(points, photo.size_wh), mask) >= 0.98


def test_a_photo_folder_called_images_does_not_hide_the_labels(data, tmp_path):
    """Trainers replace the last folder of this name by labels."""
    photo = next(iter(data.photos()))
    (data.root / "images").mkdir()
    path = (data.root / photo.name).rename(data.root / "images" / "a.jpg")
    yolo.write(
        type(data)(
            lambda: iter([type(photo)("images/a.jpg", photo.size_wh, photo.objects)]),
            CLASSES, data.root, "model", data.has_masks,
        ),
        tmp_path / "out",
    )  # fmt: skip
    copy = tmp_path / "out" / "images" / "images_" / "a.jpg"
    assert copy.read_bytes() == path.read_bytes()
    assert (tmp_path / "out" / "labels" / "images_" / "a.txt").is_file()


def test_crops_are_upright_and_a_classifiers_data_set(data, tmp_path, caplog):
    """Noise: only the right pixels, turned the right way, are alike."""
    before = hashes_of(data.root)
    crops.write(dataclasses.replace(data, margin=0.2), tmp_path)
    assert hashes_of(data.root) == before
    assert "without a crop, nothing was found in them: 1" in caplog.text
    names = ("train/cat/a b.jpg", "train/cat/a b_2.jpg", *NAMES[1:-1])
    assert set(hashes_of(tmp_path / "crops")) == set(names)
    found = [(photo, each) for photo in data.photos() for each in photo.objects]
    for name, (photo, each) in zip(names, found[:-1], strict=True):
        crop = decode.decode_image(tmp_path / "crops" / name)
        x0, y0, x1, y1 = each.box
        x, y = 0.2 * (x1 - x0), 0.2 * (y1 - y0)
        left, top = max(round(x0 - x), 0), max(round(y0 - y), 0)
        upright = decode.decode_image(data.root / photo.name)
        expected = upright[top : round(y1 + y), left : round(x1 + x)]
        assert crop.shape == expected.shape
        assert np.corrcoef(crop.ravel(), expected.ravel())[0, 1] > 0.9
        assert name.endswith(".jpg") or (crop == expected).all()
    source = FolderSource(root=str(tmp_path / "crops"))
    assert source.class_names == tuple(sorted(CLASSES))
    assert [len(source.records(split)) for split in ("train", "val")] == [6, 2]


def test_crops_of_one_name_are_kept_apart_and_follow_the_margin(data, tmp_path):
    """Made again for another margin alone; a class with a slash is one folder."""
    photos = [
        Photo(name, (90, 61), (Object("C/V", None, (10.0, 20.0, 30.0, 25.0)),))
        for name in ("a/1.jpg", "A_1.jpg", "A/C/1.jpeg", "C/V/1.jpg", "1.JPG")
    ]
    for photo in photos:
        (data.root / photo.name).parent.mkdir(parents=True, exist_ok=True)
        (data.root / photo.name).write_bytes((data.root / NAMES[0]).read_bytes())
    named = dataclasses.replace(
        data, photos=lambda: iter(photos), class_names=("C_V", "C/V")
    )
    crops.write(named, tmp_path)
    paths = [tmp_path / "crops" / "C_V_2" / name for name in
             ("a_1.jpg", "A_1_2.jpg", "A_C_1.jpg", "C_V_1.jpg", "1.jpg")]  # fmt: skip
    assert sorted(
        path for path in tmp_path.rglob("*.jpg") if "crops" in path.parts
    ) == sorted(paths)
    made = [path.stat().st_mtime_ns for path in paths]
    paths[0].unlink()
    crops.write(named, tmp_path)
    assert [path.stat().st_mtime_ns for path in paths[1:]] == made[1:]
    crops.write(dataclasses.replace(named, margin=1.0), tmp_path)
    sizes = {decode.decode_image(path).shape for path in paths}
    assert sizes == {(15, 50, 3)}  # 10 - 20 is outside the photo
    paths[0].unlink()
    write_photo(data.root / photos[0].name, np.zeros([8, 9, 3], np.uint8), 1)
    with pytest.raises(DataError, match="is 9 x 8 pixels, was 90 x 61 when"):
        crops.write(named, tmp_path)


@pytest.mark.parametrize(
    ("form", "folder"),
    [(yolo, yolo.IMAGES), (crops, crops.FOLDER), (voc, voc.FOLDER)],
)
def test_files_of_a_photo_that_was_moved_are_counted(
    data, tmp_path, caplog, form, folder
):
    form.write(data, tmp_path)
    assert "of no photo" not in caplog.text
    rest = [photo for photo in data.photos() if photo.name != NAMES[2]]
    form.write(dataclasses.replace(data, photos=lambda: iter(rest)), tmp_path)
    assert f"{tmp_path / folder}: 1 files are of no photo" in caplog.text


def test_label_studio_regions_are_percentages_that_fit_the_config(data, tmp_path):
    label_studio.write(data, tmp_path)
    tasks = json.loads((tmp_path / label_studio.FILE).read_text())
    view = ElementTree.parse(tmp_path / label_studio.CONFIG_FILE).getroot()
    controls = {
        control.get("name"): control for control in view if control.tag != "Image"
    }
    for task, photo in zip(tasks, data.photos(), strict=True):
        url = urlsplit(task["data"]["image"])
        assert url.path == "/data/local-files/"
        assert parse_qs(url.query) == {"d": [f"photos/{photo.name}"]}
        (prediction,) = task["predictions"]
        assert prediction["model_version"] == "model"
        least = min(found.confidence or 0 for found in photo.objects)
        assert prediction.get("score", 0) == least
        regions = {region["id"]: region for region in prediction["result"]}
        assert len(regions) == len(prediction["result"])
        for region in regions.values():
            control = controls[region["from_name"]]
            assert control.tag.lower() == region["type"]
            known = [label.get("value") for label in control]
            assert known == list(CLASSES)
            assert set(region["value"][region["type"]]) <= set(known)
            size = (region["original_width"], region["original_height"])
            assert size == photo.size_wh
        for i, found in enumerate(photo.objects):
            value = regions[f"box_{i}"]["value"]
            low = np.array([value["x"], value["y"]]) / 100 * photo.size_wh
            size = np.array([value["width"], value["height"]]) / 100 * photo.size_wh
            np.testing.assert_allclose([*low, *(low + size)], found.box, atol=1e-6)
            assert ("meta" in regions[f"box_{i}"]) == found.degenerate
            if found.mask is not None:
                outline = np.array(regions[f"mask_{i}"]["value"]["points"]) / 100
                mask = without_holes(masks.from_run_lengths(found.mask))
                assert iou(fill(outline * photo.size_wh, photo.size_wh), mask) >= 0.98


def test_cvats_labels_have_the_attributes_of_its_objects(data, tmp_path):
    cvat.write(data, tmp_path)
    labels = json.loads((tmp_path / cvat.LABELS_FILE).read_text())
    assert [label["name"] for label in labels] == list(CLASSES)
    for label in labels:
        assert [a["name"] for a in label["attributes"]] == ["score", "degenerate"]


def test_voc_marks_what_was_not_found_as_difficult(data, tmp_path):
    voc.write(data, tmp_path)
    marked = {
        path.stem: [e.text for e in ElementTree.parse(path).iter("difficult")]
        for path in (tmp_path / voc.FOLDER).rglob("*.xml")
    }
    assert marked.pop("x&<y>") == ["1"]
    assert set(map(tuple, marked.values())) == {("0",), ("0", "0")}
