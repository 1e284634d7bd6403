"""Pictures of a localization: heat over a photo, boxes, panels, contact sheets.

Images are RGB uint8 [height, width, 3]. Boxes are x0, y0, x1, y1, half-open, in pixels
of the image they are drawn on; an outline lies just inside its box, so its outer
pixels are the box's border pixels. True boxes are dashed and drawn last: where both
boxes agree, the predicted one shows in the gaps.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from bas_tf import files
from bas_tf.geometry.components import normalize_map
from bas_tf.report.lettering import cut_text, put_text, text_width

PREDICTED_COLOR = (0, 229, 255)
TRUE_COLOR = (110, 255, 60)
EDGE_COLOR = (16, 20, 24)
PAPER_COLOR = (250, 250, 248)
INK_COLOR = (34, 38, 42)
GAP_COLOR = (150, 154, 158)  # for light and dark pages
PANEL_TITLES = ("box (true box dashed)", "CAM", "foreground map")

_HEAT_SHARE = 0.55
_SMALLEST_FONT = 9
_GAP = 4
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1]  # smaller than the default's, as fast
_PNG_OF_PHOTO = [
    *_PNG,
    cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB,
    cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE,
]  # fmt: skip


def heatmap(score_map: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """Colours of a map, dark for 0 to yellow for 1.

    Args:
      score_map: [h, w] float; values outside [0, 1] are clipped, NaN counts as 0.
      size_wh: width and height of the result; bilinear, half-pixel centres.

    Returns:
      RGB uint8 [height, width, 3].
    """
    values = np.clip(np.nan_to_num(score_map.astype(np.float32)), 0, 1)
    values = cv2.resize(values, size_wh, interpolation=cv2.INTER_LINEAR)
    levels = np.rint(255 * values).astype(np.uint8)
    colors = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
    return cv2.cvtColor(colors, cv2.COLOR_BGR2RGB)


def overlay(
    image: np.ndarray,
    score_map: np.ndarray | None = None,
    *,
    boxes: Iterable[np.ndarray] = (),
    true_boxes: Iterable[np.ndarray] = (),
    labels: Iterable[str] = (),
) -> np.ndarray:
    """The photo, if asked under the heat of a map, with boxes, in its own pixels.

    Args:
      image: the photo; left as it is.
      score_map: [h, w] float, covering the whole image; shown min-max normalised, as
        the box rule sees it, so a constant or NaN map is all dark.
      boxes: predicted boxes, solid.
      true_boxes: true boxes, dashed.
      labels: texts next to the first predicted boxes, such as "monarch 0.97"; cut to
        the image's width and left out where the image is too small to read them.

    Returns:
      RGB uint8 of the image's size.
    """
    drawn = image.copy()
    size_wh = (image.shape[1], image.shape[0])
    if score_map is not None:
        heat = heatmap(normalize_map(score_map), size_wh)
        drawn = cv2.addWeighted(heat, _HEAT_SHARE, drawn, 1 - _HEAT_SHARE, 0)
    width = _line_width(size_wh)
    boxes = list(boxes)
    for box in boxes:
        _draw_outline(drawn, _outline(box, size_wh, width), PREDICTED_COLOR)
    for true_box in true_boxes:
        _draw_outline(drawn, _dashed_outline(true_box, size_wh, width), TRUE_COLOR)
    for label, box in zip(labels, boxes, strict=False):
        _draw_label(drawn, label, box)
    return drawn


def panel(
    image: np.ndarray,
    *,
    localization_map: np.ndarray,
    cam: np.ndarray | None = None,
    box: np.ndarray,
    true_boxes: Iterable[np.ndarray] = (),
    tile_height: int = 224,
) -> np.ndarray:
    """One row: photo with boxes | CAM over it | foreground map and box over it.

    Both maps are min-max normalised for showing, each by itself, so their colours
    compare places within a map and not the two maps' values.

    Args:
      image: the photo, in whose pixels the boxes are.
      localization_map: [h, w] float, covering the whole image.
      cam: [h', w'] float, likewise; None leaves its tile out.
      tile_height: the photo is scaled to this height; its aspect is kept.

    Returns:
      RGB uint8 [tile_height, 2 or 3 tiles and their gaps, 3].
    """
    tile, scale = scale_to_height(image, tile_height)
    box = np.multiply(box, scale)
    true_boxes = [np.multiply(true_box, scale) for true_box in true_boxes]
    tiles = [overlay(tile, boxes=[box], true_boxes=true_boxes)]
    if cam is not None:
        tiles.append(overlay(tile, cam))
    tiles.append(overlay(tile, localization_map, boxes=[box]))
    gap = np.full((tile_height, _GAP, 3), GAP_COLOR, np.uint8)
    return np.hstack([part for tile in tiles for part in (gap, tile)][1:])


def contact_sheet(
    panels: Sequence[np.ndarray],
    *,
    columns: int,
    titles: Sequence[str] = PANEL_TITLES,
) -> np.ndarray:
    """Panels in reading order on light paper, under a line of titles.

    Args:
      panels: at least one image; smaller ones are filled up with paper.
      columns: panels in a row.
      titles: what the tiles of a panel are, left to right in equal widths; repeated
        over each column.
    """
    margin = 4 * _GAP
    height = max(picture.shape[0] for picture in panels)
    width = max(picture.shape[1] for picture in panels)
    columns = min(columns, len(panels))
    strip = _text_strip(titles, width)
    header = np.hstack([_padded(strip, (strip.shape[0], width + margin))] * columns)
    sheet = [_paper(margin // 2, header.shape[1]), header]
    for first in range(0, len(panels), columns):
        row = [_padded(p, (height, width + margin)) for p in panels[first:][:columns]]
        row = _padded(np.hstack(row), (height + margin, header.shape[1]))
        sheet.append(row)
    body = np.vstack(sheet)
    return np.hstack([_paper(body.shape[0], margin), body])


def write_png(path: str | Path, image: np.ndarray, *, of_photo: bool = False) -> None:
    """Writes RGB uint8 pixels as a PNG file; see `files.write_file`.

    Of a photo in half the time, a tenth larger; drawings would become much larger.
    """
    options = _PNG_OF_PHOTO if of_photo else _PNG
    files.write_file(path, _encoded(image, ".png", options))


def encode_image(image: np.ndarray, extension: str, *, jpeg_quality: int = 90) -> bytes:
    """The file content of RGB uint8 pixels: ".png" or ".jpg"."""
    options = {".jpg": [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality], ".png": _PNG}
    return _encoded(image, extension, options[extension])


def _encoded(image: np.ndarray, extension: str, options: list[int]) -> bytes:
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, content = cv2.imencode(extension, pixels, options)
    return content.tobytes()


def _line_width(size_wh: tuple[int, int]) -> int:
    return max(1, round(0.16 * max(size_wh) ** 0.5))  # 2 at 224, 6 at 1280 pixels


def _whole_pixels(box: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    return np.rint(np.clip(box, 0, np.tile(size_wh, 2))).astype(int)


def _outline(box: np.ndarray, size_wh: tuple[int, int], width: int) -> np.ndarray:
    """Bool [height, width]: the `width` outermost pixels inside a half-open box."""
    x0, y0, x1, y1 = _whole_pixels(box, size_wh)
    mask = np.zeros(size_wh[::-1], bool)
    mask[y0:y1, x0:x1] = True
    mask[y0 + width : max(y1 - width, 0), x0 + width : max(x1 - width, 0)] = False
    return mask


def _dashed_outline(
    box: np.ndarray, size_wh: tuple[int, int], width: int
) -> np.ndarray:
    """As `_outline`, in dashes of five widths that start at x0 and at y0."""
    x0, y0, x1, _ = _whole_pixels(box, size_wh)
    rows, columns = np.ogrid[: size_wh[1], : size_wh[0]]
    is_side = (columns < x0 + width) | (columns >= x1 - width)
    along = np.where(is_side, rows - y0, columns - x0)
    return _outline(box, size_wh, width) & (along // (5 * width) % 2 == 0)


def _draw_outline(image: np.ndarray, mask: np.ndarray, color: Sequence[int]) -> None:
    edge = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    image[edge] = EDGE_COLOR  # keeps a bright line visible on a bright photo
    image[mask] = color


def _draw_label(image: np.ndarray, text: str, box: np.ndarray) -> None:
    """Dark text on the predicted colour, above the box or else inside its top."""
    height, width = image.shape[:2]
    size = max(_SMALLEST_FONT + 2, round(max(height, width) / 26))
    text = cut_text(text, size, width - size)
    if not text or height < 2 * size:
        return
    tag_width, tag_height = text_width(text, size) + size, round(1.5 * size)
    x0 = int(np.clip(box[0], 0, width - tag_width))
    y0 = int(np.clip(box[1] - tag_height, 0, height - tag_height))
    image[y0 : y0 + tag_height, x0 : x0 + tag_width] = PREDICTED_COLOR
    baseline = (x0 + size // 2, y0 + round(1.1 * size))
    put_text(image, text, baseline, size, EDGE_COLOR)


def _text_strip(texts: Sequence[str], width: int) -> np.ndarray:
    """A line of paper with texts at equal shares of its width."""
    share = width // len(texts)
    size = max(_SMALLEST_FONT, min(13, share // 16))
    strip = _paper(2 * size, width)
    for place, text in enumerate(texts):
        baseline = (place * share + _GAP // 2, round(1.4 * size))
        put_text(strip, cut_text(text, size, share - _GAP), baseline, size, INK_COLOR)
    return strip


def scale_to_height(image: np.ndarray, height: int) -> tuple[np.ndarray, np.ndarray]:
    """The image at another height, and the factors [4] that scale its boxes."""
    old_height, old_width = image.shape[:2]
    width = max(1, round(old_width * height / old_height))
    shrinks = height < old_height
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    scaled = cv2.resize(image, (width, height), interpolation=interpolation)
    return scaled, np.tile([width / old_width, height / old_height], 2)


def _paper(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), PAPER_COLOR, np.uint8)


def _padded(image: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    padded = _paper(*size_hw)
    padded[: image.shape[0], : image.shape[1]] = image
    return padded
