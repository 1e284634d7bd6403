"""A whole training run: which splits it reads, and which epoch it keeps."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from bas_tf.configs import demo, drawings_multilabel
from bas_tf.errors import UserError
from bas_tf.jobs import evaluation, experiment, resuming, training
from bas_tf.training import checkpoint
from tests.training import narrow

pytestmark = pytest.mark.slow

FIGURE = "cam/predicted_map_iou"


@pytest.fixture
def config():
    """Three epochs of three steps of a shallow network.

    What CAM reaches is the figure: so early, the last is not best.
    """
    config = demo.get_config("quicktest")
    config.data.num_images.train = 48
    config.train.epochs = 3
    config.train.keep_checkpoints = 3
    config.train.select_by = FIGURE
    config.eval.split = "test"
    with narrow.shallow_backbone() as config.model.backbone:
        yield config


def validation_of(workdir):
    lines = (workdir / "validation.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def weights_of(localizer):
    return {v.path: v.numpy() for v in localizer.variables}


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for path, value in found.items():
        np.testing.assert_array_equal(value, expected[path], err_msg=path)


def weights_at(config, workdir, step):
    """Of a checkpoint in workdir/checkpoints, by its step."""
    localizer = experiment.build_model(config, 8)
    saved = checkpoint.Checkpointer(workdir, localizer)
    saved._restore(str(workdir / "checkpoints" / f"step-{step}"))
    return weights_of(localizer)


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_the_best_epoch_on_the_validation_split_is_what_is_used(config, tmp_path, ema):
    config.optimizer.ema = ema
    assert training.run_training(config, tmp_path)
    rows = validation_of(tmp_path)
    assert [row["step"] for row in rows] == [3, 6, 9]
    best = max(rows, key=lambda row: row[FIGURE])
    assert best["step"] < 9
    used = experiment.load_localizer(experiment.load_experiment(tmp_path))
    assert_equal(weights_of(used), weights_at(config, tmp_path, best["step"]))
    config.eval.split = "val"
    evaluated = evaluation.evaluate_model(str(tmp_path), config, split="val")
    assert evaluated.document["metrics"][FIGURE] == best[FIGURE]


def test_a_training_never_opens_the_test_split(config, tmp_path, monkeypatch):
    opened, open_source = [], experiment.open_source

    def spied(*args):
        source = open_source(*args)
        records = source.records
        monkeypatch.setattr(
            source, "records", lambda split: opened.append(split) or records(split)
        )
        return source

    monkeypatch.setattr(experiment, "open_source", spied)
    config.train.epochs = 1
    config.eval.views = "64,96,flip"  # of the final evaluation alone
    training.run_training(config, tmp_path)
    assert set(opened) == {"train", "val"}


def test_without_the_split_that_evaluates_nothing_is_trained(
    config, photo_folder, tmp_path
):
    config.data.source, config.data.root = "folder", str(photo_folder)
    with pytest.raises(UserError, match="test: no such split folder.* has train, val"):
        training.run_training(config, tmp_path / "run", evaluated_split="test")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"data.batch_size": 0}, "data.batch_size is 0; 1 or more"),
        ({"train.log_every_steps": 0}, "train.log_every_steps is 0; 1 or more"),
        ({"train.accumulation_steps": 0}, "train.accumulation_steps is 0; 1 or more"),
        ({"train.classifier_scale": 1.5}, "train.classifier_scale is 1.5; above 0, at"),
        ({"data.crop_size": (96, 96)}, "data.crop_size is .96, 96., of which"),
        (
            {"loss.classification": "multilabel", "data.pseudo_masks": "masks"},
            "model.map_outputs is 'sigmoid', but .* trains on label maps: set it to 's",
        ),
        ({"model.map_outputs": "softmax"}, "model.map_outputs is 'softmax', which lea"),
        ({"loss.positives": "all"}, "loss.positives 'all' is for classification 'mul"),
        (
            {"loss.positives": "all", "train.synchronized_batch_norm": True},
            "loss.positives is 'all', .*set train.synchronized_batch_norm to False",
        ),
        ({"eval.threshold_origin": "best"}, "eval.threshold_origin is 'best'; known:"),
        ({"eval.score_threshold": 42.0}, "eval.score_threshold is 42.0; a map has"),
    ],
)
def test_a_mistake_is_told_before_training(config, tmp_path, changes, line):
    config.update_from_flattened_dict(changes)
    with pytest.raises(UserError, match=line):
        training.run_training(config, tmp_path / "run", evaluated_split="test")
    assert not (tmp_path / "run").exists()


def test_a_threshold_of_val_needs_a_val(config, photo_folder, tmp_path):
    shutil.rmtree(photo_folder / "val")
    (photo_folder / "boxes.csv").unlink()
    config.data.source, config.data.root = "folder", str(photo_folder)
    config.data.batch_size, config.eval.threshold_origin = 4, "val-optimal"
    with pytest.raises(UserError, match="val: no such split folder"):
        training.run_training(config, tmp_path / "run", evaluated_split="train")
    assert not (tmp_path / "run").exists()


def test_an_epoch_that_was_saved_but_not_evaluated_is_evaluated_first(
    config, tmp_path, monkeypatch
):
    """Killed while the second of three epochs is evaluated, or the third."""
    config.train.classifier_epochs = 0
    training.run_training(config, tmp_path / "through")
    expected = validation_of(tmp_path / "through")
    best = max(expected, key=lambda row: row[FIGURE])["step"]
    for last_epoch in (2, 3):
        workdir = tmp_path / f"killed_{last_epoch}"
        kill_while_evaluating(config, workdir, monkeypatch, last_epoch)
        assert len(validation_of(workdir)) == last_epoch - 1
        training.run_training(config, workdir)
        assert validation_of(workdir) == expected
    for workdir in tmp_path.iterdir():
        found = {path.name for path in (workdir / "best").iterdir()}
        assert f"step-{best}.index" in found
        assert len(found) == 3  # and the table


def kill_while_evaluating(config, workdir, monkeypatch, epoch):
    evaluator, evaluated = evaluation.Evaluator.evaluate, []

    def killed(self, *args, **options):
        evaluated.append(None)
        if len(evaluated) == epoch + 1:  # the first is of the fresh weights
            raise KeyboardInterrupt
        return evaluator(self, *args, **options)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(evaluation.Evaluator, "evaluate", killed)
        training.run_training(config, workdir)


def test_a_figure_that_does_not_exist_is_refused_with_those_that_do(config, tmp_path):
    """Before the first step."""
    config.train.epochs = 1
    config.train.select_by = "accuracy"
    with pytest.raises(UserError, match="train.select_by is 'accuracy'.*gives: .*top1"):
        training.run_training(config, tmp_path)
    assert not (tmp_path / "metrics.jsonl").exists()


def test_without_an_epoch_nothing_is_selected(config, tmp_path):
    config.train.epochs = 0
    training.run_training(config, tmp_path)
    assert experiment.load_localizer(experiment.load_experiment(tmp_path))


def assert_continues_on_two_replicas(config, workdir, monkeypatch, key: int):
    """Two epochs; the second run starts from the checkpoint before the last."""
    base = tf.distribute.MirroredStrategy, "_collective_key_base"
    monkeypatch.setattr(*base, key)
    assert len(tf.config.list_logical_devices("CPU")) == 2
    config.train.strategy = "mirrored"
    training.run_training(config, workdir)
    through = weights_at(config, workdir, 6)
    for path in (workdir / "checkpoints").glob("step-6.*"):
        path.unlink()
    training.run_training(config, workdir)
    assert_equal(weights_at(config, workdir, 6), through)


def test_two_replicas_save_by_a_thread_and_continue(config, tmp_path, monkeypatch):
    """The second run starts after step 3."""
    config.train.update(epochs=2, classifier_epochs=0, asynchronous_checkpoints=True)
    config.optimizer.ema = 0.9
    assert_continues_on_two_replicas(config, tmp_path, monkeypatch, 9000)


def test_several_classes_on_two_replicas_continue_within_an_epoch(
    config, tmp_path, monkeypatch
):
    """The second run starts after step 4 of 2 x 3, with the labels of that epoch."""
    several = drawings_multilabel.get_config("quicktest")
    config.data.update(objects_per_image=2, classes_per_image=2)
    config.loss = several.loss
    config.train.update(epochs=2, classifier_epochs=1, checkpoint_every_steps=2)
    assert_continues_on_two_replicas(config, tmp_path, monkeypatch, 9500)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5, 6]


@pytest.fixture
def start(config, demo_workdir):
    """No epoch, from the weights of the quick demo."""
    config.train.epochs = 0
    config.model.backbone = "mobilenet_v1"
    config.model.weights = str(demo_workdir)
    return config


def test_a_training_starts_from_the_weights_of_a_workdir(start, demo_workdir, tmp_path):
    training.run_training(start, tmp_path)
    found, expected = (
        weights_of(experiment.load_localizer(experiment.load_experiment(workdir)))
        for workdir in (tmp_path, demo_workdir)
    )
    assert_equal(found, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone": "vgg16"}, "was trained with model.backbone='mobilenet_v1', the"),
        ({"width": 0.5}, "was trained with model.width=0.25, the config says 0.5"),
    ],
)
def test_a_start_of_another_network_is_refused(start, tmp_path, change, message):
    start.model.update(change)
    with pytest.raises(UserError, match=message):
        training.run_training(start, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_start_of_other_classes_or_no_workdir_is_refused(start, demo_workdir):
    loaded = experiment.load_experiment(demo_workdir)
    with pytest.raises(UserError, match="was trained on 8 classes.*the data has 1 cla"):
        resuming.load_start(None, start, loaded.class_names[:1])
    start.model.weights = str(demo_workdir / "checkpoints")
    with pytest.raises(UserError, match="no config.json in it"):
        resuming.load_start(None, start, loaded.class_names)
