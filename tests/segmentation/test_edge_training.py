"""What the edge network learns from, and its stages."""

import keras
import numpy as np
import pytest

from bas_tf.models.localizer import build_localizer
from bas_tf.names import UNSURE_LABEL
from bas_tf.segmentation import edge_training
from bas_tf.segmentation.edge_network import edge_targets
from tests.training.narrow import narrow_localizer

FILL = (7, 8, 9)


@pytest.mark.parametrize(
    ("size_wh", "canvas"), [((40, 24), 96), ((300, 280), 96), ((300, 40), 96)]
)
def test_crops_keep_photo_and_labels_together(rng, size_wh, canvas):
    """Each half of a photo has a colour and a label; the room around has neither."""
    labels = np.ones(size_wh[::-1], np.uint8)
    labels[:, size_wh[0] // 2 :] = 2
    photo = np.repeat(100 * labels[..., np.newaxis], 3, axis=-1)
    left_labels = set()
    for _ in range(20):
        crop, targets = edge_training.random_crop(photo, labels, canvas, 200, FILL, rng)
        assert crop.shape == (canvas, canvas, 3) and targets.shape == (24, 24)
        colours = edge_targets(np.moveaxis(crop, -1, 0))
        unsure = targets == UNSURE_LABEL
        np.testing.assert_array_equal(unsure, (colours.T == FILL).all(axis=-1).T)
        off = np.abs(colours - 100.0 * targets).max(axis=0)
        assert (off * ~unsure > 5).any(axis=0).sum() <= 2  # the border of the halves
        columns = targets[:, ~unsure.all(axis=0)]
        left_labels.add(int(columns[~unsure.all(axis=1)][0, 0]))
    assert left_labels == {1, 2}  # half of them are mirrored


def test_a_large_photo_is_made_smaller_before(rng):
    """Of 400 pixels, seen at 40: never larger than 60, which leaves room."""
    labels = np.ones([400, 400], np.uint8)
    photo = np.full([400, 400, 3], 100, np.uint8)
    areas = [
        (edge_training.random_crop(photo, labels, 96, 40, FILL, rng)[1] == 1).sum()
        for _ in range(20)
    ]
    assert min(areas) >= 5**2 and max(areas) <= 15**2


@pytest.mark.slow
def test_stages_of_resnet50_are_those_of_irn():
    backbone = build_localizer(
        backbone="resnet50",
        num_classes=2,
        input_size_wh=(64, 64),
        classifier={"variant": "linear"},
        backbone_options={"variant": "paper", "trunk_stride": 16},
    ).backbone
    network = edge_training.EdgeNetwork(backbone, 96)
    assert [tuple(stage.shape[1:]) for stage in network.stages.outputs] == [
        (24, 24, 64), (24, 24, 256), (12, 12, 512), (6, 6, 1024), (6, 6, 2048)
    ]  # fmt: skip
    factors = [part.layers[2].size[0] for part in network.branch.parts]
    assert factors == [1, 1, 2, 4, 4]


@pytest.mark.slow
def test_a_seed_makes_the_training_and_its_trunk_stays(tmp_path):
    """Of two flat halves; the loss falls."""
    labels = np.ones([96, 96], np.uint8)
    labels[:, 40:] = 0
    photo = np.repeat(255 * labels[..., np.newaxis], 3, axis=-1)
    found = []
    for name in ("a", "b"):
        keras.utils.set_random_seed(0)
        backbone = narrow_localizer().backbone
        before = {v.path: v.numpy() for v in backbone.variables}
        network = edge_training.EdgeNetwork(backbone, 96)
        rng = np.random.default_rng(0)

        def example(_, rng=rng):
            return edge_training.random_crop(photo, labels, 96, 96, FILL, rng)

        edge_training.fit(network, example, 128, rng, tmp_path / name)
        for variable in backbone.variables:
            np.testing.assert_array_equal(variable, before[variable.path])
        found.append(network.branch.get_weights())
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
    lines = (tmp_path / "a").read_text().splitlines()[1:]
    losses = [float(line.split(",")[1]) for line in lines]
    assert len(losses) == edge_training.EPOCHS and losses[-1] < losses[0]
