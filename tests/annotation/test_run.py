"""A folder in, a data set out: real photos, a real model, real interruptions."""

import functools
import json
import os
import resource
import shutil
import signal
import time

import numpy as np
import pytest
from PIL import Image

import bas_tf
from bas_tf.annotation import coco, label_studio
from bas_tf.annotation.journal import JOURNAL_FILE
from bas_tf.annotation.settings import FORMATS
from bas_tf.geometry.boxes import box_from_mask, iou_xyxy
from bas_tf.jobs import experiment
from bas_tf.refinement import masks
from tests.annotation.conftest import hashes_of, write_photo
from tests.commands import run_command, start_command

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(demo_workdir):
    return bas_tf.load(demo_workdir)


@pytest.fixture(scope="module")
def scenes(demo_workdir) -> dict[str, np.ndarray]:
    """{class: one of the demo's test drawings}."""
    loaded = experiment.load_experiment(demo_workdir)
    records = experiment.open_source(loaded.config).records("test")
    return {loaded.class_names[record.label]: record.load_image() for record in records}


@pytest.fixture
def photos(scenes, tmp_path):
    """<class>/<orientation> é 猫.png of eight classes, each stored another way."""
    for i, (name, scene) in enumerate(sorted(scenes.items())[:8], start=1):
        upright = np.asarray(Image.fromarray(scene).resize((90 + i, 70)))
        write_photo(tmp_path / "photos" / name / f"{i} é 猫.png", upright, i)
    return tmp_path / "photos"


def read_coco(folder) -> dict[str, dict]:
    """{file name: its one annotation, with its label and the image's size}."""
    document = json.loads((folder / coco.FILE).read_text())
    images = {image["id"]: image for image in document["images"]}
    kinds = {entry["id"]: entry["name"] for entry in document["categories"]}
    found = {}
    for entry in document["annotations"]:
        image = images[entry["image_id"]]
        assert image["file_name"] not in found
        size_wh = (image["width"], image["height"])
        kind = kinds[entry["category_id"]]
        found[image["file_name"]] = {**entry, "label": kind, "size_wh": size_wh}
    assert len(found) == len(images)
    return found


def box_of(entry) -> np.ndarray:
    x, y, width, height = entry["bbox"]
    return np.array([x, y, x + width, y + height])


def test_all_objects_have_an_entry_each_with_their_own_mask(model, photos, tmp_path):
    folders = {masks: tmp_path / str(masks) for masks in (False, True)}
    for masks_, folder in folders.items():
        assert model.annotate(photos, folder, masks=masks_, boxes="all") == 8
    documents = [json.loads((f / coco.FILE).read_text()) for f in folders.values()]
    boxes, with_masks = (document["annotations"] for document in documents)
    assert len(boxes) > 8
    found = model.localize([photos / i["file_name"] for i in documents[0]["images"]],
                           boxes="all")  # fmt: skip
    assert [each for one in found for each in one.boxes] == [
        pytest.approx(box_of(entry), abs=0.02) for entry in boxes
    ]
    for entry in with_masks:
        mask = masks.from_run_lengths(entry["segmentation"])
        assert box_from_mask(mask).tolist() == box_of(entry).tolist()
    of_first = [entry for entry in with_masks if entry["image_id"] == 1]
    shared = sum(
        masks.from_run_lengths(e["segmentation"]).astype(int) for e in of_first
    )
    assert shared.max() == 1


def test_boxes_are_those_of_localize_in_the_upright_photo(model, photos, tmp_path):
    before = hashes_of(photos)
    assert model.annotate(photos, tmp_path / "out") == 8
    entries = read_coco(tmp_path / "out")
    assert set(entries) == set(before)
    for name, entry in entries.items():
        found = model.localize(photos / name)
        assert entry["size_wh"] == found.photo.shape[1::-1]
        assert entry["size_wh"][1] == 70  # upright, whatever the orientation
        assert entry["label"] == found.label
        assert entry["score"] == pytest.approx(found.score, abs=1e-4)
        assert iou_xyxy(box_of(entry)[None], np.array([found.box]))[0, 0] > 0.95
    assert hashes_of(photos) == before


@pytest.mark.parametrize(
    "file", [".", "export/saved_model", "given_class_float32.tflite"]
)
def test_known_labels_are_the_folders(model, demo_workdir, photos, tmp_path, file):
    """A file that only draws given classes scores none."""
    path = demo_workdir / file
    if file.endswith("tflite"):
        workdir = shutil.copytree(demo_workdir, tmp_path / "workdir")
        code = run_command(
            "export.tflite", f"--workdir={workdir}", f"--output={tmp_path / 'files'}",
            "--quantize=none", "--given_class",
        ).returncode  # fmt: skip
        assert code == 0
        path = tmp_path / "files" / file
    bas_tf.load(path).annotate(photos, tmp_path / "out", known_labels=True)
    given = bas_tf.load(demo_workdir)
    for name, entry in read_coco(tmp_path / "out").items():
        assert entry["label"] == name.split("/")[0]
        if file.endswith("tflite"):
            assert "score" not in entry
        found = given.localize(photos / name)
        if found.label == entry["label"]:
            assert iou_xyxy(box_of(entry)[None], np.array([found.box]))[0, 0] > 0.8


@pytest.mark.parametrize("refine", ["none", "grabcut"])
def test_masks_are_within_their_boxes_and_one_component(
    model, photos, tmp_path, refine
):
    model.annotate(photos, tmp_path / "out", masks=True, refine=refine)
    for name, entry in read_coco(tmp_path / "out").items():
        mask = masks.from_run_lengths(entry["segmentation"])
        assert mask.shape == entry["size_wh"][::-1]
        np.testing.assert_allclose(box_of(entry), box_from_mask(mask), atol=0.02)
        if refine == "grabcut":
            whole = model.localize(photos / name, refine=refine).mask
            assert not (mask & ~whole).any() and mask.sum() >= whole.sum() / 2


def test_photos_of_less_confidence_have_no_object(model, photos, tmp_path):
    paths = sorted(photos.rglob("*.png"))
    certain = {path: model.localize(path).confidence for path in paths}
    least = sorted(certain.values())[4]
    assert model.annotate(photos, tmp_path / "out", min_confidence=least - 1e-4) == 8
    document = json.loads((tmp_path / "out" / coco.FILE).read_text())
    names = {image["id"]: image["file_name"] for image in document["images"]}
    assert len(names) == 8
    kept = {photos / names[entry["image_id"]] for entry in document["annotations"]}
    assert kept == {path for path in paths if certain[path] >= least}


def test_by_confidence_the_least_certain_photos_come_first(model, photos, tmp_path):
    certain = {p.name: model.localize(p).confidence for p in photos.rglob("*.png")}
    for form in ("coco", "labelstudio"):  # the second from the first's predictions
        model.annotate(photos, tmp_path / "out", form, order="confidence")
    images = json.loads((tmp_path / "out" / coco.FILE).read_text())["images"]
    values = [certain[image["file_name"].split("/")[-1]] for image in images]
    assert values == pytest.approx(sorted(values), abs=1e-3) and len(set(values)) > 1
    tasks = json.loads((tmp_path / "out" / label_studio.FILE).read_text())
    scores = [task["predictions"][0]["score"] for task in tasks]
    assert scores == sorted(scores) and len(scores) == 8


def test_every_format_is_added_without_predicting_again(model, photos, tmp_path):
    model.annotate(photos, tmp_path / "out")
    before = (tmp_path / "out" / JOURNAL_FILE).stat().st_mtime_ns
    for form in FORMATS:
        assert model.annotate(photos, tmp_path / "out", form) == 8
    assert (tmp_path / "out" / JOURNAL_FILE).stat().st_mtime_ns == before
    labels = (tmp_path / "out" / "labels").rglob("*.txt")
    assert sum(len(path.read_text().splitlines()) for path in labels) == 8


def test_a_killed_run_goes_on_and_loses_and_doubles_nothing(
    demo_workdir, scenes, tmp_path
):
    folder, output = tmp_path / "photos", tmp_path / "out"
    scene = Image.fromarray(next(iter(scenes.values()))).resize((1200, 900))
    folder.mkdir()
    scene.save(folder / "0.jpg")
    for i in range(1, 200):
        os.link(folder / "0.jpg", folder / f"{i}.jpg")
    args = ["bas_tf.annotate", f"--model={demo_workdir}", "--format=coco", folder]
    process = start_command(*args, f"--output={output}")
    journal = output / JOURNAL_FILE
    while process.poll() is None and not (
        journal.is_file() and journal.read_bytes().count(b"\n") > 20
    ):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = journal.read_bytes().count(b"\n") - 1
    assert 20 <= done < 200 and not (output / coco.FILE).exists()
    again = run_command(*args, f"--output={output}")
    assert again.returncode == 0, again.stderr
    assert again.stdout == f"{output}: 200 photos as coco\n"
    entries = read_coco(output)
    assert set(entries) == {f"{i}.jpg" for i in range(200)}
    names = [json.loads(line).get("name") for line in journal.read_text().splitlines()]
    assert len(names) == len(set(names)) == 201  # the request has none
    whole = run_command(*args, f"--output={tmp_path / 'whole'}")
    assert whole.returncode == 0
    for name, entry in read_coco(tmp_path / "whole").items():
        np.testing.assert_allclose(box_of(entries[name]), box_of(entry), atol=0.1)


def test_a_photo_that_changed_is_annotated_again(model, photos, tmp_path):
    output = tmp_path / "out"
    journal = output / JOURNAL_FILE
    model.annotate(photos, output, "yolo")
    first, *others = sorted(photos.rglob("*.png"))
    shutil.copy(others[0], first)
    assert model.annotate(photos, output, "yolo") == 8
    request, *rows = map(json.loads, journal.read_text().splitlines())
    assert [rows[0]["name"]] == [row["name"] for row in rows[8:]]
    assert rows[8]["size_wh"] == rows[1]["size_wh"] != rows[0]["size_wh"]
    copy = output / "images" / first.relative_to(photos)
    assert copy.read_bytes() == first.read_bytes()
    of_older_version = [{**row, "file": None} for row in rows]
    lines = [json.dumps(row) for row in (request, *of_older_version)]
    journal.write_text("\n".join(lines) + "\n")
    shutil.copy(others[1], first)
    assert model.annotate(photos, output, "yolo") == 8
    assert journal.read_text().splitlines() == lines


def test_a_bad_photo_is_named_and_the_next_run_asks_it_again(
    demo_workdir, photos, tmp_path, command, caplog
):
    good = min(photos.rglob("*.png"))
    bad = photos / "bad.png"
    bad.write_bytes(good.read_bytes()[:300])
    args = ["bas_tf.annotate", f"--model={demo_workdir}", "--format=yolo", photos]
    output = tmp_path / "out"
    code, _, err = command(*args, f"--output={output}")
    assert code == 2 and "error: 1 of 9 photos not read" in err
    assert f"{bad}: not a readable image" in caplog.text
    assert len(list((output / "images").rglob("*.png"))) == 8
    shutil.copy(good, bad)
    assert command(*args, f"--output={output}")[0] == 0
    assert len(list((output / "images").rglob("*.png"))) == 9


def test_mistakes_are_one_line_and_leave_nothing(
    demo_workdir, photos, tmp_path, error_line
):
    refused = functools.partial(
        error_line, "bas_tf.annotate", f"--model={demo_workdir}"
    )

    before = hashes_of(tmp_path)
    new, coco_format = f"--output={tmp_path / 'new'}", "--format=coco"
    assert "no PHOTOS given" in refused(new, coco_format)
    inside = f"--output={photos / 'out'}"
    assert f"lies in {photos}" in refused(inside, coco_format, photos)
    assert f"--output: {photos}" in refused(f"--output={photos}", coco_format, photos)
    assert f"{tmp_path / 'photos'} is there already" in refused(
        f"--output={tmp_path}", coco_format, photos
    )
    photo = min(photos.rglob("*.png"))
    assert "is a file" in refused(f"--output={photo}", coco_format, photos)
    assert "format voc has no masks" in refused(new, "--format=voc", "--masks", photos)
    assert "format coco has no margin" in refused(
        new, coco_format, "--margin=0", photos
    )
    by_confidence = "--order=confidence"
    assert "format yolo has no order" in refused(
        new, "--format=yolo", by_confidence, photos
    )
    stray = photos / "stray.png"
    shutil.copy(photo, stray)
    line = refused(new, coco_format, "--known_labels", photos)
    assert f"{stray}: none of its folders is a class" in line and "1 of 9" in line
    stray.unlink()
    assert hashes_of(tmp_path) == before and not (tmp_path / "new").exists()


def test_a_full_disk_is_one_line_and_the_run_goes_on(model, photos, tmp_path):
    """A limit on the size of files stands in for it."""
    output = tmp_path / "out"
    _, hard = soft = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(ValueError, match=f"{output}/.*: cannot be written"):
            model.annotate(photos, output)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, soft)
    assert model.annotate(photos, output) == 8
    assert len(read_coco(output)) == 8


def test_another_model_or_setting_needs_another_folder(
    model, demo_workdir, photos, tmp_path
):
    output = tmp_path / "out"
    model.annotate(photos, output)
    with pytest.raises(ValueError, match="was made with masks=False, now it is True"):
        model.annotate(photos, output, masks=True)
    with pytest.raises(ValueError, match="was made with views=None, now it is 'flip'"):
        bas_tf.load(demo_workdir, views="flip").annotate(photos, output)
    other = bas_tf.load(demo_workdir / "export" / "localizer_float32.tflite")
    with pytest.raises(ValueError, match=f"{JOURNAL_FILE}: was made with model="):
        other.annotate(photos, output)
    with pytest.raises(ValueError, match="known_labels: this model cannot draw"):
        other.annotate(photos, tmp_path / "new", known_labels=True)
