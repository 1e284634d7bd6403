"""--on_bad_image from the command line: trains and evaluates without them."""

import json

import pytest

from tests.commands import exit_code_in_process, only_error_line, run_command
from tests.training import narrow

pytestmark = pytest.mark.slow


@pytest.fixture
def spoilt(photo_folder):
    """(root, the two spoilt photos): one in training, one in validation."""
    photos = [photo_folder / "train/cat/1.jpg", photo_folder / "val/dog/0.jpg"]
    photos[0].write_bytes(photos[0].read_bytes()[:600])
    photos[1].write_text("<html>gone</html>")
    return photo_folder, photos


def flags_for(root):
    return (
        "--config=configs/demo.py:quicktest",
        "--config.data.source=folder",
        f"--config.data.root={root}",
        "--config.data.batch_size=2",
        f"--config.model.backbone={narrow.NAME}",
        "--config.train.epochs=1",
        "--config.train.classifier_epochs=0",
        "--config.eval.split=val",
    )


def test_skip_trains_and_evaluates_the_rest_and_lists_the_others(
    spoilt, tmp_path, monkeypatch, capsys
):
    root, (in_training, in_validation) = spoilt
    workdir = tmp_path / "workdir"
    arguments = (*flags_for(root), "--on_bad_image=skip")
    done = run_command(
        "tests.jobs.on_shallow", "bas_tf.train", *arguments, f"--workdir={workdir}"
    )
    assert done.returncode == 0, done.stderr
    listed = {
        split: (workdir / f"skipped_images_{split}.txt").read_text()
        for split in ("train", "val")
    }
    assert listed["train"].startswith(f"{in_training}: not a readable image (")
    assert (
        listed["val"] == f"{in_validation}: not a readable image (HTML or XML text)\n"
    )
    assert "1 of 6 images of split 'train' cannot be read" in done.stderr
    assert "1 of 4 images of split 'val' cannot be read" in done.stderr
    for line in listed.values():
        assert line in done.stderr
    document = json.loads((workdir / "metrics.json").read_text())
    assert (document["num_images"], document["num_skipped_images"]) == (3, 1)
    log = (workdir / "metrics.jsonl").read_text().splitlines()
    assert len(log) == 2  # five photos make two batches of two

    output = tmp_path / "evaluated" / "metrics.json"
    evaluator = (
        "bas_tf.evaluate", f"--model={workdir}", *flags_for(root), "--split=val",
        f"--output={output}",
    )  # fmt: skip
    with narrow.shallow_backbone():
        code = exit_code_in_process(monkeypatch, *evaluator, "--on_bad_image=skip")
    assert code == 0, capsys.readouterr().err
    listing = output.parent / "skipped_images_val.txt"
    assert listing.read_text() == listed["val"]
    again = json.loads(output.read_text())
    assert (again["num_images"], again["num_skipped_images"]) == (3, 1)
    assert again["metrics"]["num_images"] == 3

    output.unlink()
    capsys.readouterr()
    with narrow.shallow_backbone():
        assert exit_code_in_process(monkeypatch, *evaluator) == 2
    line = only_error_line(capsys.readouterr().err)
    assert f"{in_validation}: not a readable image" in line
    assert not output.exists()
