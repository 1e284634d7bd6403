"""Drawing primitives against arithmetic done by hand."""

import numpy as np
import pytest

from bas_tf.data.drawings import drawing


def test_frame_has_area_one_and_the_image_s_aspect():
    frame = drawing.frame_size((200, 50))
    np.testing.assert_allclose(frame, [2.0, 0.5])  # 200 / sqrt(200 * 50) = 2
    assert drawing.unit_in_pixels((200, 50)) == 100


def test_rotation_by_a_right_angle_turns_x_into_y():
    turned = np.array([[1.0, 0.0], [0.0, 2.0]]) @ drawing.rotation(np.pi / 2)
    np.testing.assert_allclose(turned, [[0, 1], [-2, 0]], atol=1e-12)


def test_filled_square_lies_where_the_unit_frame_says():
    canvas = np.zeros((40, 40), np.uint8)
    square = np.array([[0.25, 0.5], [0.75, 0.5], [0.75, 0.75], [0.25, 0.75]])
    drawing.fill_polygon(canvas, square, 40, 255)
    rows, columns = np.nonzero(canvas >= 128)
    assert abs(columns.min() - 10) <= 1 and abs(columns.max() + 1 - 30) <= 1
    assert abs(rows.min() - 20) <= 1 and abs(rows.max() + 1 - 30) <= 1
    assert (canvas[21:29, 11:29] == 255).all()


@pytest.mark.parametrize(
    ("hsv", "rgb"),
    [
        ((0, 1.0, 1.0), (255, 0, 0)),
        ((120, 1.0, 1.0), (0, 255, 0)),
        ((240, 1.0, 1.0), (0, 0, 255)),
        ((360 + 120, 1.0, 1.0), (0, 255, 0)),  # hues wrap
        ((-120, 1.0, 1.0), (0, 0, 255)),
        ((7, 0.0, 0.2), (51, 51, 51)),  # 0.2 * 255 = 51
    ],
)
def test_colour_from_hsv(hsv, rgb):
    assert drawing.colour_from_hsv(*hsv).tolist() == list(rgb)


def test_stripes_along_x_have_the_period_asked_for():
    coverage = drawing.texture_coverage(
        "stripes", (3, 32), origin=(0.0, 0.0), angle=0.0, period=8.0
    )
    # Pixel centres 0.5 … 3.5 lie in the sine's positive half, 4.5 … 7.5 do not:
    # 0.5 + sin(2 pi 0.5 / 8) * 8 / (2 pi) = 0.5 + 0.3827 * 1.2732 = 0.987.
    row = [0.98724, 1, 1, 0.98724, 0.01276, 0, 0, 0.01276] * 4
    np.testing.assert_allclose(coverage, [row] * 3, atol=1e-4)


@pytest.mark.parametrize("texture", drawing.TEXTURES)
def test_textures_show_both_colours_and_turn_with_the_angle(texture):
    options = {"origin": (30.0, 30.0), "period": 10.0}
    straight = drawing.texture_coverage(texture, (60, 60), angle=0.0, **options)
    turned = drawing.texture_coverage(texture, (60, 60), angle=np.pi / 2, **options)
    assert straight.dtype == np.float32
    assert 0.2 < straight.mean() < 0.6
    # A right angle about the middle: turned(x, y) = straight(y, -x).
    np.testing.assert_allclose(turned, np.rot90(straight, 3), atol=2e-3)


def test_textures_differ():
    drawn = [
        drawing.texture_coverage(t, (60, 60), origin=(0, 0), angle=0.0, period=10.0)
        for t in drawing.TEXTURES
    ]
    for first in range(4):
        for second in range(first):
            assert np.abs(drawn[first] - drawn[second]).mean() > 0.1


def test_sampled_colours_are_one_light_and_one_deep_of_the_hues_named():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        pair = drawing.sample_colours(rng, "amber", "azure").astype(int)
        light, deep = sorted(pair.tolist(), key=max, reverse=True)
        assert max(light) >= 0.88 * 255 - 1 and max(deep) <= 0.68 * 255 + 1
        assert light.index(max(light)) == 0  # amber is mostly red
        assert deep.index(max(deep)) == 2


def test_window_is_a_view_with_its_corner_in_the_unit_frame():
    canvas = np.zeros((50, 100), np.uint8)
    points = np.array([[0.2, -0.3], [0.4, 0.1]])
    view, corner = drawing.window(canvas, points, 100)
    # x from 20 - 2 to 40 + 2, y from 0 (the border) to 10 + 2.
    assert view.shape == (12, 24)
    np.testing.assert_allclose(corner, [0.18, 0.0])
    view[:] = 1
    assert canvas[:12, 18:42].all() and canvas.sum() == 12 * 24


def test_blend_by_hand():
    coverage = np.array([[0.0, 0.25, 1.0]], np.float32)
    mixed = drawing.blend(np.array([0, 100, 200]), np.array([40, 20, 200]), coverage)
    np.testing.assert_allclose(mixed, [[[0, 100, 200], [10, 80, 200], [40, 20, 200]]])
