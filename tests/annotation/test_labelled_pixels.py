"""A model that labels pixels: an object of each class, in every format."""

import json

import numpy as np
import pytest
from PIL import Image

from bas_tf import names
from bas_tf.annotation import coco, label_studio, run
from bas_tf.annotation.settings import FORMATS, Settings
from bas_tf.errors import UserError
from bas_tf.refinement import masks
from bas_tf.runners import Runner
from tests.annotation.conftest import outputs_of

CLASSES = ("cat", "dog", names.NO_OBJECT)


def answer(images, labels=None) -> dict[str, np.ndarray]:
    """Two cats, a dog, a speck of dog and `_none`; nothing in dark photos."""
    label_map = np.zeros([32, 32], np.uint8)
    label_map[2:12, 4:14] = label_map[20:24, 4:8] = 1
    label_map[16:30, 16:30], label_map[0, 20] = 2, 2
    label_map[26:32, :8] = 3
    is_bright = images.mean(axis=(1, 2, 3)) > 99
    found = outputs_of([[0.6, 0.3, 0.1]] * len(images), (1, 1, 31, 31), labels)
    return found | {names.SEGMENTATION: label_map * is_bright[:, None, None]}


RUNNER = Runner(
    answer, CLASSES, (32, 32), score_threshold=0.5, label_fn=answer,
    labels_pixels=True,
)  # fmt: skip


@pytest.fixture
def annotate(tmp_path):
    """Of photos of 64 x 96 pixels: a bright one, and a dark one without an object."""
    (tmp_path / "model.tflite").touch()
    (tmp_path / "photos" / "dog").mkdir(parents=True)
    for name, grey in (("a", 200), ("b", 20)):
        Image.new("RGB", (64, 96), (grey,) * 3).save(
            tmp_path / f"photos/dog/{name}.png"
        )

    def call(output, data_format="coco", **settings):
        return run.annotate_photos(
            tmp_path / "model.tflite", [tmp_path / "photos"], output,
            Settings(data_format, **settings), load=lambda: RUNNER,
        )  # fmt: skip

    return call


@pytest.mark.parametrize("known_labels", [False, True])
def test_the_largest_region_of_each_class_is_an_object(
    annotate, tmp_path, known_labels
):
    done = annotate(tmp_path / "out", known_labels=known_labels, with_masks=True)
    assert done == (2, 1, [])
    found = json.loads((tmp_path / "out" / coco.FILE).read_text())["annotations"]
    of_dog = 1, 2, 0.3, [32, 48, 28, 42]
    expected = [of_dog] if known_labels else [of_dog, (1, 1, 0.6, [8, 6, 20, 30])]
    keys = "image_id", "category_id", "score", "bbox"
    assert [tuple(each[key] for key in keys) for each in found] == [
        (*ids, pytest.approx(score), box) for *ids, score, box in expected
    ]
    for each in found:  # boxes are filled: neither the other cat nor the speck
        x, y, width, height = map(int, each["bbox"])
        mask = masks.from_run_lengths(each["segmentation"])
        assert mask.shape == (96, 64) and mask.sum() == each["area"] == width * height
        assert mask[y : y + height, x : x + width].all()


def test_every_format_has_both_objects(annotate, tmp_path):
    out = tmp_path / "out"
    for data_format in FORMATS:
        assert annotate(out, data_format) == (2, 1, [])
    lines = (out / "labels/dog/a.txt").read_text().splitlines()
    assert [line[:2] for line in lines] == ["1 ", "0 "]
    task = json.loads((out / label_studio.FILE).read_text())[0]
    assert len(task["predictions"][0]["result"]) == 2
    crops = {path.parent.name for path in out.rglob("crops/**/*.png")}
    assert crops == {"dog", "cat"}
    assert (out / "review.html").read_text().count('"label": "') == 2
    assert (out / "Annotations/dog/a.xml").read_text().count("<object>") == 2


@pytest.mark.parametrize("setting", [{"boxes": "all"}, {"refine": "grabcut"}])
def test_what_does_not_change_regions_is_refused(annotate, tmp_path, setting):
    (name, value), *_ = setting.items()
    with pytest.raises(UserError, match=f"{name}={value}: .*; leave out {name}"):
        annotate(tmp_path / "out", **setting)
    assert not (tmp_path / "out").exists()
