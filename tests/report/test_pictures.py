"""Pictures: boxes lie on the right pixels, broken maps and tiny images are drawn."""

import cv2
import numpy as np
import pytest
from PIL import Image

from bas_tf.report import pictures
from bas_tf.report.pictures import PREDICTED_COLOR, TRUE_COLOR

_GREY = 90


def _grey(width, height):
    return np.full((height, width, 3), _GREY, np.uint8)


def _is(image, color):
    return (image == np.array(color, np.uint8)).all(axis=2)


def test_heatmap_spans_the_colour_scale_and_goes_up_in_lightness():
    ramp = np.linspace(0, 1, 11)[np.newaxis].repeat(2, axis=0)
    colors = pictures.heatmap(ramp, (11, 2))
    assert colors.shape == (2, 11, 3)
    assert colors.dtype == np.uint8
    lightness = cv2.cvtColor(colors, cv2.COLOR_RGB2GRAY)[0].astype(int)
    assert (np.diff(lightness) > 0).all()
    assert colors[0, 0].max() < 10  # 0 is almost black
    red, green, blue = colors[0, -1]
    assert red > 240  # 1 is light yellow: RGB order, not OpenCV's BGR
    assert green > 240
    assert blue < 180


def test_heatmap_clips_and_takes_nan_for_zero():
    values = np.array([[-3.0, np.nan, 0.0, 1.0, 7.0]])
    colors = pictures.heatmap(values, (5, 1))[0]
    assert (colors[:3] == colors[2]).all()
    assert (colors[4] == colors[3]).all()


def test_heatmap_is_resized_with_half_pixel_centres():
    # 2 -> 4 pixels: centres at 0.5, 1.5, 2.5, 3.5 are -0.25, 0.25, 0.75, 1.25 between
    # the two values, clamped outside: 0, 0.25, 0.75, 1.
    colors = pictures.heatmap(np.array([[0.0, 1.0]]), (4, 1))
    expected = pictures.heatmap(np.array([[0.0, 0.25, 0.75, 1.0]]), (4, 1))
    np.testing.assert_array_equal(colors, expected)


def test_predicted_box_is_on_the_border_pixels_of_the_half_open_box():
    drawn = pictures.overlay(_grey(30, 20), boxes=[np.array([5, 4, 25, 16])])
    expected = np.zeros((20, 30), bool)  # one pixel wide at this size
    expected[4, 5:25] = expected[15, 5:25] = True
    expected[4:16, 5] = expected[4:16, 24] = True
    np.testing.assert_array_equal(_is(drawn, PREDICTED_COLOR), expected)
    assert (drawn[10, 14:16] == _GREY).all()  # the inside stays the photo


def test_line_width_follows_the_image_size_into_the_box():
    # round(0.16 sqrt(400)) = round(3.2) = 3 pixels.
    drawn = pictures.overlay(_grey(400, 300), boxes=[np.array([100, 50, 300, 250])])
    is_line = _is(drawn, PREDICTED_COLOR)
    assert np.flatnonzero(is_line[150]).tolist() == [100, 101, 102, 297, 298, 299]
    assert np.flatnonzero(is_line[:, 200]).tolist() == [50, 51, 52, 247, 248, 249]


def test_true_box_is_dashed_on_its_border_pixels():
    drawn = pictures.overlay(_grey(30, 20), true_boxes=[np.array([5, 4, 25, 16])])
    is_dash = _is(drawn, TRUE_COLOR)
    # Dashes of five pixels from x0: 5..9 and 15..19 of 5..24; the corner 24 is the
    # right side's, whose first dash starts there.
    top = np.flatnonzero(is_dash[4]).tolist()
    assert top == [5, 6, 7, 8, 9, 15, 16, 17, 18, 19, 24]
    # From y0 down the right side: rows 4..8 and 14..15.
    assert np.flatnonzero(is_dash[5:15, 24]).tolist() == [0, 1, 2, 3, 9]
    assert not is_dash[5:15, 6:24].any()
    assert not _is(drawn, PREDICTED_COLOR).any()


def test_equal_boxes_both_show():
    box = np.array([5, 4, 25, 16])
    drawn = pictures.overlay(_grey(30, 20), boxes=[box], true_boxes=[box])
    top = drawn[4, 5:25]
    # The gaps 10..14 and 20..23 less the dark edges of the dashes: 3 + 2 pixels.
    assert _is(top[np.newaxis], TRUE_COLOR).sum() == 11
    assert _is(top[np.newaxis], PREDICTED_COLOR).sum() == 5


@pytest.mark.parametrize(
    "box", [[-9, -9, 99, 99], [3, 2, 4, 3], [7, 7, 7, 7], [9, 9, 2, 2]]
)
def test_boxes_past_the_image_and_empty_ones(box):
    drawn = pictures.overlay(_grey(12, 10), boxes=[np.array(box)])
    rows, columns = np.nonzero(_is(drawn, PREDICTED_COLOR))
    x0, y0, x1, y1 = np.clip(box, 0, [12, 10, 12, 10])
    if x1 <= x0:
        assert len(rows) == 0
    else:
        assert (columns.min(), columns.max() + 1) == (x0, x1)
        assert (rows.min(), rows.max() + 1) == (y0, y1)


def test_overlay_leaves_the_photo_alone_and_mixes_heat_into_a_copy():
    photo = _grey(16, 16)
    score_map = np.array([[0.2, 0.2], [0.2, 0.6]])  # normalised: 0, 0, 0, 1
    drawn = pictures.overlay(photo, score_map)
    assert (photo == _GREY).all()
    heat = pictures.heatmap(np.array([[0.0, 0.0], [0.0, 1.0]]), (16, 16))
    expected = 0.55 * heat.astype(float) + 0.45 * _GREY
    assert np.abs(drawn - expected).max() <= 0.5


@pytest.mark.parametrize("value", [0.0, 0.7, np.nan])
def test_constant_and_nan_maps_show_as_all_dark(value):
    drawn = pictures.overlay(_grey(24, 18), np.full((4, 4), value))
    dark = pictures.overlay(_grey(24, 18), np.zeros((4, 4)))
    np.testing.assert_array_equal(drawn, dark)
    assert drawn.mean() < _GREY / 2


def test_one_pixel_image():
    drawn = pictures.overlay(
        _grey(1, 1), np.ones((1, 1)), boxes=[np.array([0, 0, 1, 1])], labels=["a label"]
    )
    assert drawn.tolist() == [[list(PREDICTED_COLOR)]]
    row = pictures.panel(
        _grey(1, 2), localization_map=np.ones((1, 1)), box=np.array([0, 0, 1, 1])
    )
    assert row.shape == (224, 112 + 4 + 112, 3)  # the aspect is kept


def test_label_sits_above_the_box_or_inside_at_the_top_edge():
    for y0, rows in ((100, slice(80, 100)), (0, slice(0, 20))):
        box = np.array([60, y0, 200, 200])
        bare = pictures.overlay(_grey(300, 220), boxes=[box])
        drawn = pictures.overlay(_grey(300, 220), boxes=[box], labels=["monarch 0.97"])
        changed = (drawn != bare).any(axis=2)
        assert changed[rows, 60:160].sum() > 800
        changed[rows] = False
        assert not changed.any()


def test_a_long_label_is_cut_to_the_image():
    box = np.array([60, 60, 90, 90])
    drawn = pictures.overlay(_grey(100, 100), boxes=[box], labels=["very " * 40])
    tag = _is(drawn, PREDICTED_COLOR)[43:60]
    columns = np.flatnonzero(tag.any(axis=0))
    assert 60 < np.ptp(columns) < 100


def test_panel_scales_photo_and_boxes_together():
    # 56 x 56 to 224 x 224: factor 4, so [10, 5, 40, 30] becomes [40, 20, 160, 120].
    row = pictures.panel(
        _grey(56, 56),
        localization_map=np.eye(4),
        cam=np.ones((2, 2)),
        box=np.array([10, 5, 40, 30]),
    )
    assert row.shape == (224, 3 * 224 + 2 * 4, 3)
    for x in (0, 2 * 228):  # the photo's tile and the foreground map's
        rows, columns = np.nonzero(_is(row[:, x : x + 224], PREDICTED_COLOR))
        assert (columns.min(), columns.max() + 1) == (40, 160)
        assert (rows.min(), rows.max() + 1) == (20, 120)
    assert not _is(row[:, 228:452], PREDICTED_COLOR).any()  # CAM's tile


def test_contact_sheet_holds_every_panel_in_reading_order():
    colors = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    panels = [np.full((40, 60, 3), color, np.uint8) for color in colors]
    panels[2] = panels[2][:30]  # a smaller one
    sheet = pictures.contact_sheet(panels, columns=2, titles=["a", "b"])
    corners = []
    for color, panel in zip(colors, panels, strict=True):
        rows, columns = np.nonzero(_is(sheet, color))
        assert len(rows) == panel.shape[0] * panel.shape[1]
        corners.append((rows.min(), columns.min()))
    first, second, third = corners
    assert first[0] == second[0] < third[0]
    assert first[1] == third[1] < second[1]
    assert (sheet[: first[0]] < 128).any()  # titles above
    assert (sheet[0] == pictures.PAPER_COLOR).all()


def test_png_keeps_every_pixel_and_makes_its_folder(tmp_path, rng):
    image = rng.integers(0, 256, (7, 9, 3), dtype=np.uint8)
    path = tmp_path / "new" / "picture.png"
    pictures.write_png(path, image)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), image)
    assert [p.name for p in path.parent.iterdir()] == ["picture.png"]
