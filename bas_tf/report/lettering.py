"""Text in pictures, in the fonts that OpenCV brings.

They have Latin, Greek, Cyrillic, Hebrew, Arabic, Chinese, Japanese and Korean letters;
what they lack (emoji, Thai) is drawn as "?". Sizes are letter heights in pixels.
"""

import unicodedata
from collections.abc import Sequence

import cv2
import numpy as np

_FONT = "sans"
_WEIGHT = 600


def put_text(
    image: np.ndarray,
    text: str,
    baseline: tuple[int, int],
    size: int,
    color: Sequence[int],
) -> None:
    """Draws one line into an RGB uint8 image, from the baseline's left end x, y."""
    font = cv2.FontFace(_FONT)
    cv2.putText(image, _drawable(text), baseline, color, font, size, _WEIGHT)


def text_width(text: str, size: int) -> int:
    """Pixels that `put_text` needs from its baseline's left end on."""
    font = cv2.FontFace(_FONT)
    return cv2.getTextSize((0, 0), _drawable(text), (0, 0), font, size, _WEIGHT)[2]


def cut_text(text: str, size: int, width: int) -> str:
    """The text, shortened with an ellipsis to fit; "" when not even that fits."""
    if text_width(text, size) <= width:
        return text
    kept = text
    while kept and text_width(kept + "…", size) > width:
        kept = kept[:-1]
    return kept + "…" if kept else ""


def _drawable(text: str) -> str:
    """One line of composed letters; bytes of a name that is no UTF-8 crash OpenCV."""
    line = " ".join(unicodedata.normalize("NFC", text).split())
    return line.encode(errors="replace").decode()
