"""A training and an evaluation on public data sets in their real layout."""

import json

import pytest

from bas_tf.configs import demo
from bas_tf.jobs import evaluation, training
from tests.data import tiny_sets
from tests.training import narrow


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "make", "num_train", "split", "num_images", "num_boxed"),
    [
        ("cub", tiny_sets.make_cub, 12, "test", 6, 6),
        ("open_images30k", tiny_sets.make_open_images, 6, "val", 3, 0),
    ],
)
def test_two_steps_and_an_evaluation(
    tmp_path, source, make, num_train, split, num_images, num_boxed
):
    """With and without boxes."""
    config = demo.get_config("quicktest")
    config.data.source, config.data.root = source, str(make(tmp_path))
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
