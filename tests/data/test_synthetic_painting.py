"""The classes' looks, and pixels that painting may touch."""

import numpy as np

from bas_tf.data.drawings import body as bodies
from bas_tf.data.drawings.drawing import HUES
from bas_tf.data.drawings.painting import (
    _STRANGE_PAIRS,
    SPECIES,
    draw_creature,
    draw_scenery,
)

_SIZE = (96, 64)


def test_no_trait_of_one_pixel_tells_the_species_but_the_pair_of_hues_does():
    traits = [(species.texture, species.light, species.deep) for species in SPECIES]
    for values in zip(*traits, strict=True):
        assert min(values.count(value) for value in values) >= 2
    assert len({frozenset((s.light, s.deep)) for s in SPECIES}) == len(SPECIES) == 8


def test_patches_of_the_scenery_have_pairs_of_hues_that_no_species_has():
    species_pairs = {frozenset((s.light, s.deep)) for s in SPECIES}
    assert species_pairs.isdisjoint(map(frozenset, _STRANGE_PAIRS))
    assert {hue for pair in _STRANGE_PAIRS for hue in pair} == set(HUES) - {"violet"}


def test_emblem_hues_are_at_least_forty_degrees_apart():
    hues = np.sort([species.emblem_hue for species in SPECIES])
    gaps = np.diff(np.append(hues, hues[0] + 360))  # the circle closes
    assert gaps.min() >= 40


def test_scenery_is_never_a_plain_backdrop():
    scenery = draw_scenery(np.random.default_rng(5), _SIZE)
    assert scenery.shape == (64, 96, 3) and scenery.dtype == np.uint8
    assert scenery.std(axis=(0, 1)).min() > 5


def test_creature_stays_inside_its_coverage_and_every_species_looks_different():
    body = bodies.sample_body(np.random.default_rng(1), _SIZE)
    covered = bodies.coverage(body.outline, _SIZE)
    grey = np.full((64, 96, 3), 128, np.uint8)
    painted = []
    for species in SPECIES:
        image = grey.copy()
        draw_creature(image, np.random.default_rng(2), species, body, covered)
        np.testing.assert_array_equal(image[covered == 0], grey[covered == 0])
        painted.append(image[covered == 255])
    for first in range(8):
        for second in range(first):
            assert (painted[first] != painted[second]).any(axis=1).mean() > 0.3
