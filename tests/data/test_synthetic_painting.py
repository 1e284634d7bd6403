"""The classes' looks, and pixels that painting may touch."""

import numpy as np

from bas_tf.data import synthetic_body as bodies
from bas_tf.data.synthetic_drawing import PALETTES, TEXTURES
from bas_tf.data.synthetic_painting import SPECIES, draw_creature, draw_scenery

_SIZE = (96, 64)


def test_only_texture_and_palette_together_name_a_species():
    looks = [(species.texture, species.palette) for species in SPECIES]
    assert len(set(looks)) == 8
    for texture in range(len(TEXTURES)):
        assert sum(look[0] == texture for look in looks) == 2
    for palette in range(len(PALETTES)):
        assert sum(look[1] == palette for look in looks) == 2


def test_emblem_hues_are_at_least_twenty_half_degrees_apart():
    hues = np.sort([species.emblem_hue for species in SPECIES])
    gaps = np.diff(np.append(hues, hues[0] + 180))  # the circle closes at 180
    assert gaps.min() >= 20


def test_scenery_follows_its_generator_alone():
    first = draw_scenery(np.random.default_rng(5), _SIZE)
    again = draw_scenery(np.random.default_rng(5), _SIZE)
    other = draw_scenery(np.random.default_rng(6), _SIZE)
    assert first.shape == (64, 96, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.5
    assert first.std(axis=(0, 1)).min() > 5  # never a plain backdrop


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
