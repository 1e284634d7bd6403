"""Pairs, losses and maps of the edge network, by hand."""

import numpy as np
import pytest
import tensorflow as tf

from bas_tf.names import UNSURE_LABEL
from bas_tf.segmentation import affinity, edge_network


def test_pairs_are_those_of_the_walk_and_pull_at_one_cell_each(rng):
    edge = rng.random([2, 9, 12]).astype(np.float32)
    with tf.GradientTape() as tape:
        watched = tf.constant(edge)
        tape.watch(watched)
        found = edge_network.pair_affinities(watched, 4)
    for grid, ours in zip(edge, found.numpy(), strict=True):
        expected = affinity.affinities(grid, 4)[:, :6, 3:9]
        np.testing.assert_array_equal(ours, expected)
    gradient = tape.gradient(found, watched).numpy()
    assert gradient.sum() == -found.shape.num_elements()
    assert (gradient == np.rint(gradient)).all()


def test_losses_by_hand():
    """Edges of 3/4 everywhere: affinity 1/4, whatever the pair."""
    logits = np.full([2, 8, 12], np.log(3), np.float32)
    targets = np.full([2, 8, 12], UNSURE_LABEL, np.uint8)
    losses = edge_network.edge_losses(logits, targets, radius=3)
    assert not any(losses.values())
    targets[0, :, :6], targets[0, :, 6:], targets[1] = 0, 2, 2
    found = edge_network.edge_losses(logits, targets, radius=3)
    expected = {
        "background": np.log(4), "foreground": np.log(4), "negative": np.log(4 / 3),
        "total": np.log(4) / 2 + np.log(4 / 3) / 2,
    }  # fmt: skip
    found = {name: float(loss) for name, loss in found.items()}
    assert found == pytest.approx(expected, rel=1e-4)


def test_the_trunk_gets_no_gradient():
    branch = edge_network.EdgeBranch(strides=(4, 8), width=8)
    stages = [tf.ones([1, 5, 7, 3]), tf.ones([1, 3, 4, 6])]
    with tf.GradientTape() as tape:
        tape.watch(stages)
        logits = branch(stages)
    assert logits.shape == (1, 5, 7)
    assert tape.gradient(logits, stages) == [None, None]


@pytest.mark.parametrize("size_wh", [(32, 20), (64, 48)])
def test_map_of_a_photo(size_wh):
    """An edge map that is the red channel's sigmoid; 64 pixels become 32."""
    photo = np.zeros([*size_wh[::-1], 3], np.uint8)
    photo[:, : size_wh[0] // 2] = 255

    def network(images):
        assert images.shape == (2, 32, 32, 3)
        free = images[:, size_wh[1] if size_wh[1] < 32 else 24 :]
        np.testing.assert_array_equal(free, np.broadcast_to((1, 2, 3), free.shape))
        return images[..., 0].reshape(2, 8, 4, 8, 4).mean(axis=(2, 4)) / 255

    edge = edge_network.edge_map(photo, network, canvas=32, fill=(1, 2, 3))
    width, height = (-(-side // 4) for side in size_wh)
    assert edge.shape == (height, width)
    high, low = 1 / (1 + np.exp(-1)), 0.5
    np.testing.assert_allclose(edge[:, : width // 2 - 2], high, atol=2e-3)
    np.testing.assert_allclose(edge[:, width // 2 + 2 :], low, atol=2e-3)
