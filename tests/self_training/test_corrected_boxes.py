"""Corrected boxes: from `annotate` back into the masks of their training photos."""

import functools
import json
import re

import cv2
import numpy as np
import pytest

from bas_tf.annotation import run
from bas_tf.annotation.settings import Settings
from bas_tf.configs import demo
from bas_tf.data.pseudo_masks import INDEX_FILE
from bas_tf.data.sources import load_source
from bas_tf.errors import UserError
from bas_tf.jobs import experiment
from bas_tf.self_training import rounds
from bas_tf.self_training.corrected_boxes import read_corrected_boxes
from tests.training import narrow

BOXES = {"cat/0.jpg": [4, 10, 40, 40], "dog/1.jpg": [14, 20, 20, 20]}  # x, y, w, h


@pytest.fixture
def read(photo_folder, tmp_path):
    """Reads corrected boxes of (image, x_min, y_min, x_max, y_max) rows."""
    source = load_source("folder", root=str(photo_folder))

    def read_rows(*rows, name="corrected.csv", header="image,x_min,y_min,x_max,y_max"):
        path = tmp_path / name
        path.write_text("\n".join([header, *rows]))
        return read_corrected_boxes(str(path), source, source.records("train"))

    return read_rows


@pytest.fixture
def config(photo_folder):
    config = demo.get_config("quicktest")
    config.data.source, config.data.root = "folder", str(photo_folder)
    config.data.batch_size = 2
    config.train.epochs = config.train.classifier_epochs = 0
    config.train.self_training_rounds = 1
    config.train.self_training_epochs = 1
    with narrow.shallow_backbone() as config.model.backbone:
        yield config


def files_in(folder):
    return {
        path.relative_to(folder).with_suffix(".jpg").as_posix(): path.read_bytes()
        for path in folder.rglob("*.png")
    }


@pytest.mark.slow
def test_what_annotate_writes_of_the_training_folder_bounds_its_masks(
    config, photo_folder, tmp_path
):
    """The same names are in val, so the file's own folder tells them apart."""
    rounds.run_training(config, tmp_path / "before")
    teacher = tmp_path / "before/teacher_1"
    run.annotate_photos(
        teacher, [photo_folder / "train"], tmp_path / "annotated",
        Settings("coco", known_labels=True),
        load=functools.partial(experiment.load_runner, teacher),
    )  # fmt: skip
    path = tmp_path / "annotated/annotations.json"
    document = json.loads(path.read_text())
    ids = {image["id"]: image["file_name"] for image in document["images"]}
    corrected = []
    for entry in document["annotations"]:
        if box := BOXES.get(ids[entry["image_id"]]):
            corrected.append({**entry, "bbox": box})
    path.write_text(json.dumps({**document, "annotations": corrected}))
    config.data.corrected_boxes = str(path)

    rounds.run_training(config, tmp_path / "after")
    before, after = (
        files_in(tmp_path / name / "teacher_1_masks") for name in ("before", "after")
    )
    for name, (x, y, width, height) in BOXES.items():
        before.pop(f"train/{name}", None)
        mask = cv2.imdecode(np.frombuffer(after.pop(f"train/{name}"), np.uint8), 0)
        assert mask[y : y + height, x : x + width].any()
        mask[y : y + height, x : x + width] = 0
        assert not mask.any()
    assert after == before and before

    student = json.loads((tmp_path / "after/config.json").read_text())["config"]
    assert student["data"]["corrected_boxes"] == str(path)
    corrected[0]["bbox"][0] += 1
    path.write_text(json.dumps({**document, "annotations": corrected}))
    index = tmp_path / "after/teacher_1_masks" / INDEX_FILE
    with pytest.raises(UserError, match=f"{re.escape(str(index))}.*corrected boxes"):
        rounds.run_training(config, tmp_path / "after")


def test_boxes_of_other_photos_are_skipped_and_counted(read, caplog):
    found = read("train/cat/0.jpg,1,2,30,40", "val/cat/0.jpg,1,2,30,40", "gone,1,2,3,4")
    assert list(found) == ["train/cat/0.jpg"]
    assert found["train/cat/0.jpg"].tolist() == [[1, 2, 30, 40]]
    assert "skipped 1 photos" in caplog.text and "val/cat/0.jpg" in caplog.text
    assert "1 of its 3 names" in caplog.text and "gone" in caplog.text


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (["val/cat/0.jpg,1,2,3,4"], {}, "none of its 1 photos.*val/cat/0.jpg"),
        (["elsewhere.jpg,1,2,3,4"], {}, "holds no box of a photo"),
        (["train/cat/0.jpg,1,2,3,99"], {}, "train/cat/0.jpg.*99.*outside"),
        (["train/cat/0.jpg,.1,.2,.3,.4"], {}, "shares of the photo"),
        (["train/cat/0.jpg,1,2,3,4"], {"header": "image"}, "first line is 'image'"),
        ([], {"name": "corrected.txt"}, "corrected.txt: expected a .csv file"),
    ],
)
def test_what_cannot_be_used_is_one_line(read, rows, options, message):
    with pytest.raises(UserError, match=message) as error:
        read(*rows, **options)
    assert "\n" not in str(error.value)


def test_a_missing_file_and_other_sources_are_named(photo_folder, tmp_path):
    source = load_source("folder", root=str(photo_folder))
    with pytest.raises(UserError, match="boxes: no such file"):
        read_corrected_boxes(str(tmp_path / "boxes"), source, source.records("train"))
    with pytest.raises(UserError, match="data.source=folder"):
        read_corrected_boxes("boxes.json", object(), [])


def test_a_training_without_masks_says_what_would_work(config, tmp_path):
    config.train.self_training_rounds = 0
    config.data.corrected_boxes = "corrected.json"
    with pytest.raises(UserError, match="train.self_training_rounds.*bas_tf.refine"):
        rounds.run_training(config, tmp_path / "run")
