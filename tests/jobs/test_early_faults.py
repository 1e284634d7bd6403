"""What would spoil a training or its evaluation is said before the first step."""

import shutil

import pytest
from PIL import Image

from bas_tf.configs import demo
from bas_tf.data.sources.folder import FolderSource
from bas_tf.errors import UserError
from bas_tf.jobs import data_check, experiment, training
from bas_tf.report.data_table import format_data
from tests.training.narrow import shallow_backbone


@pytest.fixture
def folder_config(tmp_path):
    """A quick training of four photos of two classes; val has two."""
    for place in ("train/cat/0", "train/cat/1", "train/dog/0", "train/dog/1"):
        _write_photo(tmp_path / "photos" / f"{place}.png")
    for place in ("val/cat/0", "val/dog/0"):
        _write_photo(tmp_path / "photos" / f"{place}.png")
    config = demo.get_config("quicktest")
    config.data.unlock()
    config.data.source, config.data.root = "folder", str(tmp_path / "photos")
    config.data.batch_size, config.eval.split = 2, "val"
    with shallow_backbone() as config.model.backbone:
        yield config


def _write_photo(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (96, 64), "red").save(path)


def _train(config, workdir):
    return training.run_training(config, workdir, evaluated_split="val")


def _extra_class(photos):
    _write_photo(photos / "val/bird/0.png")


def _no_photo(photos):
    shutil.rmtree(photos / "val")
    (photos / "val/cat").mkdir(parents=True)


def _unreadable_photo(photos):
    (photos / "val/cat/0.png").write_bytes(b"no photo")


def _lost_boxes(photos):
    text = "image,x_min,y_min,x_max,y_max\nval/cow/0.png,0,0,9,9\n"
    (photos / "boxes.csv").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    "spoil", [_extra_class, _no_photo, _unreadable_photo, _lost_boxes]
)
def test_faults_of_the_evaluated_split(folder_config, tmp_path, spoil):
    spoil(tmp_path / "photos")
    with pytest.raises(UserError, match="photos"):
        _train(folder_config, tmp_path / "run")
    assert not (tmp_path / "run" / experiment.CONFIG_FILE).exists()


def test_unknown_views_are_found_before_the_training(folder_config, tmp_path):
    folder_config.eval.views = "large"
    with pytest.raises(UserError, match="eval.views is 'large'"):
        _train(folder_config, tmp_path / "run")
    assert not (tmp_path / "run" / experiment.CONFIG_FILE).exists()


def test_a_single_class_is_refused_and_a_fault(folder_config, tmp_path):
    for split in ("train", "val"):
        shutil.rmtree(tmp_path / "photos" / split / "dog")
    with pytest.raises(UserError, match="one class, 'cat'.*_none"):
        _train(folder_config, tmp_path / "run")
    report = data_check.run_check(
        lambda **_: FolderSource(root=str(tmp_path / "photos")),
        name="folder",
        root=str(tmp_path / "photos"),
    )
    (fault,) = (each for each in report.faults if each.kind == "single_class")
    assert fault.message in format_data(report.document())


@pytest.mark.slow
def test_other_photos_on_resume_are_refused(folder_config, tmp_path):
    workdir = tmp_path / "run"
    assert _train(folder_config, workdir)
    assert _train(folder_config, workdir)  # the same photos go on
    _write_photo(tmp_path / "photos/train/cat/2.png")
    with pytest.raises(UserError, match="began with 4 training photos.* 5"):
        _train(folder_config, workdir)
