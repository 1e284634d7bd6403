"""Self-training: masks of the training photos alone, and rounds that continue."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bas_tf.configs import demo
from bas_tf.data.pseudo_masks import INDEX_FILE, mask_paths
from bas_tf.errors import UserError
from bas_tf.jobs import evaluation, experiment, results, resuming, training
from bas_tf.self_training import rounds, teacher_masks
from tests.training import narrow

pytestmark = pytest.mark.slow


@pytest.fixture
def config():
    """A teacher and a student of an epoch each, two steps of a shallow network."""
    config = demo.get_config("quicktest")
    config.data.num_images = {"train": 32, "val": 16, "test": 16}
    config.train.epochs, config.train.classifier_epochs = 1, 0
    config.train.self_training_rounds = 1
    config.train.self_training_epochs = 1
    with narrow.shallow_backbone() as config.model.backbone:
        yield config


@pytest.fixture
def true_masks(config, tmp_path):
    """The true masks of the training drawings, as another tool would hand them over."""
    records = experiment.open_source(config).records("train")
    paths = mask_paths(tmp_path / "true", [record.image_id for record in records])
    for record, path in zip(records, paths, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(record.load_mask()).save(path)
    return tmp_path / "true"


def weights_of(workdir):
    localizer = experiment.load_localizer(experiment.load_experiment(workdir))
    return [variable.numpy() for variable in localizer.variables]


@pytest.fixture
def stop_at(monkeypatch):
    """Ends the program the `count`-th time that a function is called."""

    def stop(owner, name, count):
        function, calls = getattr(owner, name), []

        def counted(*args, **kwargs):
            calls.append(1)
            if len(calls) == count:
                monkeypatch.setattr(owner, name, function)
                raise KeyboardInterrupt
            return function(*args, **kwargs)

        monkeypatch.setattr(owner, name, counted)

    return stop


def test_a_stopped_round_continues_to_the_same_end(config, tmp_path, stop_at):
    """Stopped after the teacher, within the masks and before the student."""
    through, stopped = tmp_path / "through", tmp_path / "stopped"
    assert rounds.run_training(config, through)
    for place in (
        (teacher_masks, "write_masks", 1),
        (teacher_masks, "_write_batch", 2),
        (training, "run_training", 2),
    ):
        stop_at(*place)
        with pytest.raises(KeyboardInterrupt):
            rounds.run_training(config, stopped)
    assert rounds.run_training(config, stopped)
    for one, other in zip(weights_of(through), weights_of(stopped), strict=True):
        np.testing.assert_array_equal(one, other)
    masks = [folder / "teacher_1_masks" for folder in (through, stopped)]
    index, other = (json.loads((m / INDEX_FILE).read_text()) for m in masks)
    assert index == other and index["finished"]
    photos = index["photos"]
    assert len(photos) == 32 and all(name.startswith("train/") for name in photos)
    paths = mask_paths(masks[0], list(photos))
    for path, photo in zip(paths, photos.values(), strict=True):
        assert path.is_file() == photo["mask"]


def test_drawings_of_the_class_none_get_no_mask_and_count_for_found(config, tmp_path):
    config.data.none_every = 10
    assert rounds.run_training(config, tmp_path)
    index = json.loads((tmp_path / "teacher_1_masks" / INDEX_FILE).read_text())
    assert len(index["photos"]) == 29
    assert "train/000009" not in index["photos"]
    evaluated = evaluation.evaluate_model(str(tmp_path), config, split="val")
    metrics = evaluated.document["metrics"]
    assert metrics["num_images_without_object"] == 1
    assert {"found", "none_found", "confidence_auroc"} <= metrics.keys()
    assert evaluated.document["figures"]["gt_known_loc"]["num_images"] == 15
    assert re.search(r"AUROC of the .*: [01]\.\d{3}, ag", results.describe(evaluated))


def test_masks_of_another_teacher_are_not_gone_on_with(config, tmp_path):
    """Both are fresh networks: no step makes them differ more."""
    config.train.self_training_rounds = config.train.epochs = 0
    for seed in (0, 1):
        config.train.seed = seed
        training.run_training(config, tmp_path / str(seed))
    output = tmp_path / "masks"
    teacher_masks.write_masks(tmp_path / "0", config, output)
    with pytest.raises(UserError, match=re.escape(str(output))):
        teacher_masks.write_masks(tmp_path / "1", config, output)
    (output / INDEX_FILE).unlink()
    with pytest.raises(UserError, match=r"\.png: is there, but .*json is not"):
        teacher_masks.write_masks(tmp_path / "1", config, output)


@pytest.mark.parametrize(
    "change",
    [
        {"train.strategy": "multi_worker"},
        {"loss.classification": "multilabel", "data.corrected_boxes": "boxes.csv"},
    ],
)
def test_rounds_refuse_several_machines_and_boxes_of_label_maps(
    config, tmp_path, change
):
    config.update_from_flattened_dict(change)
    with pytest.raises(UserError, match="train.self_training_rounds|corrected_boxes"):
        rounds.stages(config, tmp_path)


def begin_all(config, workdir, class_names=("cat", "dog")):
    """Workdirs of all trainings of a config, as if each had its first checkpoint."""
    for stage, folder in rounds.stages(config, workdir):
        (folder / "checkpoints").mkdir(parents=True)
        (folder / "checkpoints/step-1.index").touch()
        resuming.write_experiment(folder, stage, class_names)


def test_rounds_continue_by_another_path_and_after_a_move(
    config, tmp_path, monkeypatch
):
    config.train.self_training_rounds = 2
    monkeypatch.chdir(tmp_path)
    begin_all(config, Path("run"))
    monkeypatch.chdir("/")
    moved = (tmp_path / "run").rename(tmp_path / "moved")
    for stage, folder in rounds.stages(config, moved):
        resuming.check_workdir(folder, stage, ("cat", "dog"))
        stage.data.pseudo_masks = str(tmp_path / "masks")
        with pytest.raises(UserError, match="was trained with data.pseudo_masks="):
            resuming.check_workdir(folder, stage, ("cat", "dog"))


def test_more_rounds_in_a_finished_workdir_are_refused_at_once(config, tmp_path):
    class_names = experiment.open_source(config).class_names
    begin_all(config, tmp_path, class_names)
    config.train.self_training_rounds = 2
    with pytest.raises(UserError, match="pseudo_masks='.*teacher_1_masks', the config"):
        rounds.run_training(config, tmp_path)
    assert not (tmp_path / "teacher_2").exists()


def test_rounds_before_the_last_take_half_its_epochs(config, tmp_path):
    config.train.self_training_rounds, config.train.self_training_epochs = 3, 5
    stages = [stage for stage, _ in rounds.stages(config, tmp_path)]
    assert [stage.train.epochs for stage in stages] == [1, 3, 3, 5]


def test_true_masks_help_and_those_of_other_photos_hurt(config, true_masks, tmp_path):
    """On the demo's network: the shallow one learns too little to tell them apart."""
    config.model.backbone = "mobilenet_v1"
    config.train.self_training_rounds, config.train.epochs = 0, 12
    paths = sorted(true_masks.rglob("*.png"))
    shuffled = tmp_path / "shuffled" / paths[0].parent.relative_to(true_masks)
    shuffled.mkdir(parents=True)
    for path, other in zip(paths, np.roll(paths, 1), strict=True):
        (shuffled / path.name).write_bytes(other.read_bytes())
    found = {}
    for name, folder in (
        ("none", ""), ("true", true_masks), ("shuffled", tmp_path / "shuffled"),
    ):  # fmt: skip
        config.data.pseudo_masks = str(folder)
        workdir = tmp_path / name
        training.run_training(config, workdir)
        evaluated = evaluation.evaluate_model(workdir, config, split="test")
        found[name] = evaluated.evaluation.figures["pixel_iou"].value
    assert found["true"] > found["none"] > found["shuffled"], found
