"""What training and evaluation read of each public data set's real layout."""

import json

import pytest

from bas_tf import names
from bas_tf.configs import demo
from bas_tf.data import pipeline
from bas_tf.data.sources import load_source, shards
from bas_tf.data.sources.cub import CubSource
from bas_tf.evaluators import ground_truth
from bas_tf.jobs import evaluation, training
from tests.data import tiny_sets, tiny_tfds
from tests.training import narrow

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
SIZES = {"resize_size_wh": (72, 72), "crop_size_wh": (64, 64)}


def make_ilsvrc(folder):
    root = tiny_sets.make_ilsvrc(folder / "ilsvrc", flat=True)
    tiny_sets.write_xml_folder(root / "val")
    return "ilsvrc", root


def make_birds(folder):
    return f"tfds:{tiny_tfds.prepare_birds(folder)}", folder / "tfds"


def make_shards(folder):
    source = CubSource(root=str(tiny_sets.make_cub(folder)))
    shards.write_shards(source, source.splits, folder / "shards")
    return "shards", folder / "shards"


# How a set is made; training images, the evaluated split, its images, and those of them
# with true boxes.
SETS = {
    "cub": (lambda folder: ("cub", tiny_sets.make_cub(folder)), 12, "test", 6, 6),
    "ilsvrc": (make_ilsvrc, 12, "val", 6, 6),
    "open_images30k": (
        lambda folder: ("open_images30k", tiny_sets.make_open_images(folder)),
        6, "val", 3, 0,
    ),
    "tfds birds": (make_birds, 12, "test", 6, 6),
    "shards": (make_shards, 12, "test", 6, 6),
}  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_the_batches_of_two_steps_and_an_evaluation(tmp_path, name):
    make, num_train, split, num_images, num_boxed = SETS[name]
    source, root = make(tmp_path)
    source, crop_wh = load_source(source, root=str(root)), SIZES["crop_size_wh"]
    images = pipeline.TrainingImages(
        source.records("train"), resize_size_wh=SIZES["resize_size_wh"], keep=False
    )
    half = num_train // 2
    batches = pipeline.train_batches(
        images, crop_size_wh=crop_wh, batch_size=half, seed=0, epoch=0, worker=(0, 1)
    )
    assert [b[names.IMAGES].shape for b in batches] == [(half, 64, 64, 3)] * 2
    records = source.records(split)
    images = pipeline.ResizedImages(
        records, resize_size_wh=SIZES["resize_size_wh"], keep=False
    )
    (batch,) = pipeline.evaluation_batches(
        images, crop_size_wh=crop_wh, batch_size=num_images
    )
    assert batch[names.INDEX].numpy().tolist() == list(range(num_images))
    assert len(ground_truth.load_ground_truth(records, **SIZES).images) == num_boxed


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cub", "open_images30k"])  # with and without boxes
def test_two_steps_and_an_evaluation(tmp_path, name):
    make, num_train, split, num_images, num_boxed = SETS[name]
    source, root = make(tmp_path)
    config = demo.get_config("quicktest")
    config.data.source, config.data.root = source, str(root)
    config.data.batch_size = num_train // 2
    config.train.epochs, config.train.classifier_epochs = 1, 0
    workdir = tmp_path / "run"
    with narrow.shallow_backbone() as config.model.backbone:
        training.run_training(config, workdir)
        evaluated = evaluation.evaluate_model(str(workdir), config, split=split)
    log = (workdir / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in log] == [1, 2]
    assert evaluated.document["num_images"] == num_images
    assert len(evaluated.truth.images) == num_boxed
    assert ("gt_known_loc" in evaluated.document["metrics"]) == (num_boxed > 0)
