"""The Python interface: one interface for a workdir and every file of it."""

import doctest
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import bas_tf
from bas_tf.api import model as api_model
from bas_tf.api import training as api_training
from bas_tf.data.drawings.source import SyntheticSource
from bas_tf.geometry.boxes import iou_xyxy
from tests.test_import_order import REPO
from tests.training import narrow


@pytest.fixture(scope="module")
def model(demo_workdir):
    return bas_tf.load(demo_workdir)


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    """{format: model} of every format that has a localizer."""
    formats = ["tflite_float32", "onnx", "saved_model"]
    written = model.export(tmp_path_factory.mktemp("exported"), formats)
    return dict(zip(formats, map(bas_tf.load, written), strict=True))


def photo_files(folder, count):
    """Drawings as files; the second is turned by EXIF, the third is CMYK."""
    source = SyntheticSource(image_size=(80, 61), num_images={"test": count}, seed=0)
    paths = []
    for i, record in enumerate(source.records("test")):
        image, exif = Image.fromarray(record.load_image()), Image.Exif()
        if i == 1:
            exif[0x0112] = 6
        path = folder / f"{i}.jpg"
        (image.convert("CMYK") if i == 2 else image).save(path, exif=exif, quality=95)
        paths.append(path)
    return paths


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tflite_float32", "onnx", "saved_model"])
def test_every_file_gives_the_workdirs_boxes(model, exported, tmp_path, name):
    paths = photo_files(tmp_path, 12)
    ours, theirs = model.localize(paths), exported[name].localize(paths)
    for own, other in zip(ours, theirs, strict=True):
        assert other.label == own.label
        # The box may move where a value is at the threshold; the map is equal.
        np.testing.assert_allclose(other.map, own.map, atol=1e-4)
        assert iou_xyxy(np.array([other.box]), np.array([own.box]))[0, 0] > 0.8
        assert other.score == pytest.approx(own.score, abs=1e-2)


def test_a_photo_by_path_image_and_array_is_one(model, tmp_path):
    path = photo_files(tmp_path, 2)[1]
    found = model.localize(path)
    assert found.photo.shape == (80, 61, 3)  # turned
    for same in (Image.open(path), found.photo):
        assert model.localize(same).box == found.box
    x0, y0, x1, y1 = found.box
    assert 0 <= x0 < x1 <= 61 and 0 <= y0 < y1 <= 80
    assert found.label in model.class_names and 0 < found.score <= 1
    assert found.plot().size == (61, 80)
    assert found._repr_png_().startswith(b"\x89PNG")
    many = model.localize([path, path])
    assert [each.box for each in many] == [found.box] * 2


def test_an_evaluation_is_a_dict_and_prints_as_the_table(model, demo_workdir):
    found = model.evaluate(split="val")
    assert 0 <= found["gt_known_loc"] <= 1
    assert "GT-known" in str(found) and found.document["split"] == "val"


@pytest.mark.slow
def test_three_lines_from_class_folders(photo_folder, tmp_path):
    """Class folders alone are split; what was trained loads as it was returned."""
    root = tmp_path / "class_folders"
    shutil.copytree(photo_folder / "train", root)
    with narrow.shallow_backbone() as backbone:
        model = bas_tf.train(
            root, tmp_path / "run", config="demo:quicktest", model__backbone=backbone,
            train__epochs=1, train__classifier_epochs=0, data__batch_size=2,
            eval__split="val",
        )  # fmt: skip
    assert model.class_names == ("cat", "dog")
    assert json.loads((tmp_path / "run/metrics.json").read_text())["split"] == "val"


@pytest.mark.parametrize(
    "call, named",
    [
        (lambda m, t: bas_tf.train(t / "lost", t / "run"), "photos is"),
        (lambda m, t: bas_tf.train(None, t / "run", config="lost"), "config=lost"),
        (
            lambda m, t: bas_tf.train(
                None, t / "run", config="demo:quicktest", train__epoch=1
            ),
            "train__epoch=1",
        ),
        (lambda m, t: bas_tf.load(t / "lost"), "path="),
        (lambda m, t: m.localize(t / "lost.jpg"), "lost.jpg"),
        (lambda m, t: m.localize(np.zeros([4, 4])), "photos: float64"),
        (lambda m, t: m.export(t / "out", ["pdf"]), "formats has"),
        (lambda m, t: m.evaluate(t / "lost"), "photos is"),
        (lambda m, t: m.evaluate(split="lost"), "lost"),
    ],
)
def test_a_mistake_names_the_argument_and_leaves_nothing(model, tmp_path, call, named):
    with pytest.raises(ValueError, match=named) as raised:
        call(model, tmp_path)
    assert "\n" not in str(raised.value) and "--" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_examples_of_the_docstrings_run(demo_workdir, tmp_path, monkeypatch):
    shutil.copytree(demo_workdir, tmp_path / "runs/demo")
    photo_files(tmp_path, 1)[0].rename(tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    for module, least in ((api_training, 2), (api_model, 8)):
        found = doctest.testmod(module, extraglobs={"bas_tf": bas_tf, "np": np})
        assert found.attempted >= least and not found.failed


def test_importing_the_package_is_instant():
    script = (
        "import time; start = time.perf_counter(); import bas_tf, sys;"
        "assert 'tensorflow' not in sys.modules and 'numpy' not in sys.modules;"
        "sys.exit(time.perf_counter() - start > 0.1)"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=REPO).returncode == 0
