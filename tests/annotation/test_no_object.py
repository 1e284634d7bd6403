"""A model with the class `_none`: what it answers of photos of that class."""

import json

import numpy as np
import pytest
from PIL import Image

from bas_tf import names
from bas_tf.annotation import coco, run
from bas_tf.annotation.settings import Settings
from bas_tf.jobs import localization
from bas_tf.runners import Runner
from tests.annotation.conftest import outputs_of

CLASSES = ("cat", names.NO_OBJECT)


def answer(images, labels=None) -> dict[str, np.ndarray]:
    """The class of dark photos is `_none`; the map is a square whatever is asked."""
    scores = np.where(images.mean(axis=(1, 2, 3))[:, None] < 99, [0.2, 0.8], [0.9, 0.1])
    return outputs_of(scores, (4, 4, 14, 14), labels)


RUNNER = Runner(answer, CLASSES, (32, 32), score_threshold=0.5, label_fn=answer)


@pytest.mark.parametrize("known_labels", [False, True])
def test_a_photo_of_the_class_none_gets_no_object(tmp_path, known_labels):
    """By the prediction, or by its folder, whose photo looks like a cat."""
    (tmp_path / "model.tflite").touch()
    for name, grey in (("cat/a", 200), ("_none/b", 200 if known_labels else 20)):
        path = tmp_path / "photos" / f"{name}.png"
        path.parent.mkdir(parents=True)
        Image.new("RGB", (64, 64), (grey,) * 3).save(path)
    done = run.annotate_photos(
        tmp_path / "model.tflite", [tmp_path / "photos"], tmp_path / "out",
        Settings("coco", known_labels), load=lambda: RUNNER,
    )  # fmt: skip
    assert done == (2, 1, [])
    document = json.loads((tmp_path / "out" / coco.FILE).read_text())
    files = {image["id"]: image["file_name"] for image in document["images"]}
    assert sorted(files.values()) == ["_none/b.png", "cat/a.png"]
    assert [files[a["image_id"]] for a in document["annotations"]] == ["cat/a.png"]
    assert [kind["name"] for kind in document["categories"]] == ["cat"]


def test_it_is_not_found_whatever_confidence_is_asked():
    photos = [(grey, np.full([64, 64, 3], grey, np.uint8)) for grey in (200, 20)]
    rows = [
        localization.row_of(photo, answer, CLASSES, min_confidence=0)
        for _, photo, answer in localization.predict_photos([photos], RUNNER)
    ]
    assert [row["found"] for row in rows] == [True, False]
    of_cat, of_none = (row["confidence"] for row in rows)
    assert of_none / of_cat == pytest.approx(0.2 / 0.9, rel=1e-3)
