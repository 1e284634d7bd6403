"""Two training steps and an evaluation on each public data set's real layout."""

import json

import pytest

from bas_tf.configs import demo
from bas_tf.data.sources import shards
from bas_tf.data.sources.cub import CubSource
from bas_tf.jobs import evaluation, training
from tests.data import tiny_sets, tiny_tfds

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


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
def test_two_steps_and_an_evaluation(tmp_path, name):
    make, num_train, split, num_images, num_boxed = SETS[name]
    source, root = make(tmp_path)
    config = demo.get_config("quicktest")
    config.data.source, config.data.root = source, str(root)
    config.data.batch_size = num_train // 2
    config.train.epochs, config.train.classifier_epochs = 1, 0
    workdir = tmp_path / "run"
    training.run_training(config, workdir)
    log = (workdir / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in log] == [1, 2]
    evaluated = evaluation.evaluate_model(str(workdir), config, split=split)
    assert evaluated.document["num_images"] == num_images
    assert len(evaluated.truth.images) == num_boxed
    assert ("gt_known_loc" in evaluated.document["metrics"]) == (num_boxed > 0)
