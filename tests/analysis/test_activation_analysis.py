"""The analysis from files to files, and what it refuses."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

from bas_tf import names
from bas_tf.analysis import activation_analysis
from bas_tf.configs import demo
from bas_tf.data import preprocess
from bas_tf.data.decode import decode_image
from bas_tf.errors import UserError
from bas_tf.jobs import experiment, resuming
from bas_tf.training.checkpoint import Checkpointer
from tests.commands import exit_code_in_process, only_error_line
from tests.lively import enliven

QUICK = "--config=configs/demo.py:quicktest"
CURVES = ("cross_entropy", "activation", "background_activation")


@pytest.fixture
def config(photo_folder):
    config = demo.get_config("quicktest")
    config.data.source, config.data.root = "folder", str(photo_folder)
    config.model.width = 0.125
    return config


@pytest.fixture
def empty_workdir(tmp_path, config):
    """A training that has not saved anything yet."""
    workdir = tmp_path / "workdir"
    resuming.write_experiment(workdir, config, ("cat", "dog"))
    return workdir


@pytest.fixture
def workdir(empty_workdir, config):
    """A model for which everything is a cat, the more so the more it sees.

    The scores are sums over all channels of the last features, which are not negative:
    for dog half of that for cat, and 0 for both where nothing is left.
    """
    keras.utils.set_random_seed(0)
    localizer = enliven(experiment.build_model(config, 2))
    kernel = localizer.backbone.head.trainable_variables[-2]
    kernel.assign(np.ones(kernel.shape) * [1.0, 0.5])
    Checkpointer(empty_workdir, localizer).save(1)
    return empty_workdir


def write_mask(photo_folder, name, *, ignored=False, empty=False):
    """The mask of photo i, whose square lies at (10 + 4 i, 20), in the val split."""
    mask = np.zeros([60, 80], np.uint8)
    left = 10 + 4 * int(name[-1])
    mask[20:40, left : left + 20] = 0 if empty else 255
    if ignored:
        mask[:20] = 128
    path = photo_folder / "masks" / "val" / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)


@pytest.mark.slow
def test_a_folder_with_some_masks(photo_folder, workdir, config, tmp_path):
    write_mask(photo_folder, "cat/0")
    write_mask(photo_folder, "cat/1", ignored=True)
    write_mask(photo_folder, "dog/0")
    write_mask(photo_folder, "dog/1", empty=True)
    document = activation_analysis.analyze_model(
        workdir, config, split="val", config_name="mine"
    )
    assert [document[key] for key in ("model", "config", "split")] == [
        str(workdir), "mine", "val",
    ]  # fmt: skip
    # One mask is empty; the dog is taken for a cat, and its CE never falls: flat.
    counts = ("images", "left_out", "without_boundary", "unknown", "flat")
    assert [document[f"num_{key}"] for key in counts] == [4, 2, 1, 1, 1]
    # 20 x 20 of 60 x 80 pixels, resized to 72 x 72 and cropped to 64 x 64: a square
    # of 24 rows and 18 columns, and 128 is no object.
    assert document["shares"][-1] == pytest.approx(64 * 64 / (24 * 18))
    activation_analysis.write_results(document, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "activation.json").read_text()) == document
    Image.open(tmp_path / "out" / "activation.png").verify()


@pytest.mark.slow
def test_the_ends_of_the_curves_are_the_models_own_scores(
    photo_folder, workdir, config
):
    """Whole images, and images whose background is everything."""
    for name in ("cat/1", "dog/0"):
        write_mask(photo_folder, name)
    document = activation_analysis.analyze_model(workdir, config, split="val")
    localizer = experiment.load_localizer(experiment.load_experiment(workdir))
    logits = []
    for name in ("cat/1", "dog/0"):
        photo = decode_image(photo_folder / "val" / f"{name}.jpg")
        crop = preprocess.centre_crop(preprocess.resize(photo, (72, 72)), (64, 64))
        outputs = localizer(crop[np.newaxis], training=False)
        logits.append(outputs[names.LOGITS][0].numpy().astype(np.float64))
    logits = np.array(logits)
    activations = logits[[0, 1], [0, 1]]
    entropies = np.logaddexp.reduce(logits, axis=1) - activations
    expected = {
        ("activation", -1): activations,
        ("background_activation", 0): activations,
        ("cross_entropy", -1): entropies,
    }
    for (name, end), values in expected.items():
        found = document[name]
        assert found["mean"][end] == pytest.approx(values.mean(), rel=1e-4)
        assert found["std"][end] == pytest.approx(values.std(), rel=1e-3, abs=1e-4)


def test_max_images_are_spread_over_the_classes(photo_folder, workdir, config):
    for name in ("cat/0", "cat/1", "dog/0", "dog/1"):
        write_mask(photo_folder, name)
    document = activation_analysis.analyze_model(
        workdir, config, split="val", max_images=2
    )
    # One cat and one dog, which is taken for a cat.
    assert (document["num_images"], document["num_unknown"]) == (2, 1)
    assert activation_analysis._choose(list(range(10)), 4) == [0, 2, 5, 7]
    assert activation_analysis._choose(list(range(3)), 4) == [0, 1, 2]
    assert activation_analysis._choose(list(range(3)), None) == [0, 1, 2]


def test_a_split_without_masks(empty_workdir, config):
    told = "none of the 4 images of split 'val' has a mask"
    with pytest.raises(UserError, match=told):
        activation_analysis.analyze_model(empty_workdir, config, split="val")


def test_masks_without_an_object(photo_folder, empty_workdir, config):
    write_mask(photo_folder, "cat/0", empty=True)
    with pytest.raises(UserError, match="in all of 1 masks the object fills the crop"):
        activation_analysis.analyze_model(empty_workdir, config, split="val")


def test_a_model_of_another_size(empty_workdir, config):
    config.data.crop_size = (32, 32)
    told = r"data.crop_size is \(32, 32\), but the model takes \(64, 64\)"
    with pytest.raises(UserError, match=told):
        activation_analysis.analyze_model(empty_workdir, config, split="val")


@pytest.mark.parametrize("file", ["", "lost", "model.tflite"])
def test_what_is_no_workdir_is_refused(file, tmp_path, monkeypatch, capsys):
    (tmp_path / "model.tflite").write_bytes(b"TFL3")
    model, output = tmp_path / file, tmp_path / "out"
    code = exit_code_in_process(
        monkeypatch, "bas_tf.analyze_activation", QUICK, f"--model={model}",
        f"--output={output}",
    )  # fmt: skip
    line = only_error_line(capsys.readouterr().err)
    assert code == 2
    assert f"--model={model}: not a training workdir (no config.json)" in line
    assert not output.exists()


@pytest.mark.slow
def test_the_command_on_the_demo(demo_workdir, tmp_path, monkeypatch, capsys):
    code = exit_code_in_process(
        monkeypatch, "bas_tf.analyze_activation", QUICK, f"--model={demo_workdir}",
        "--split=val", f"--output={tmp_path}", "--max_images=16",
    )  # fmt: skip
    out, err = capsys.readouterr()
    assert code == 0, err
    assert "split val, 16 images with masks" in out
    document = json.loads((tmp_path / "activation.json").read_text())
    assert document["config"] == "configs/demo.py:quicktest"
    assert document["num_images"] == 16
    shares = document["shares"]
    for name in CURVES:
        share = document["saturation"][f"{name}_95"]
        assert ("never" if share is None else f"{share:.2f}") in out
        for curves in (document[name], document[name]["normalized"]):
            assert {len(values) for key, values in curves.items() if key != "normalized"
                    } == {len(shares)}  # fmt: skip
        assert document[name]["normalized"]["mean"][0] == 0
    kept = document["num_images"] - document["num_left_out"]
    assert 1 <= kept <= 16
    assert {path.name for path in tmp_path.iterdir()} == {
        "activation.json", "activation.png",
    }  # fmt: skip
