"""What the Python interface answers."""

import dataclasses
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image


@dataclasses.dataclass(frozen=True)
class FoundClass:
    """One of the classes in a photo.

    Attributes:
      label: the class.
      box: as `Localization.box`, of the mask.
      mask: bool [height, width], its largest connected part.
    """

    label: str
    box: tuple[float, float, float, float]
    mask: np.ndarray = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class Localization:
    """What a model finds in a photo.

    Attributes:
      label: the predicted class.
      score: its probability, in [0, 1].
      box: x0, y0, x1, y1 in pixels of the upright photo, half-open.
      map: float32 [h, w] in [0, 1], the foreground at the network's resolution.
      degenerate: the map is empty; the box is the whole photo.
      confidence: in the box, in [0, 1], see `metrics.confidence`.
      found: the confidence is at least `metrics.confidence.FOUND_CONFIDENCE`, and the
        class is not names.NO_OBJECT.
      photo: uint8 [height, width, 3].
      mask: bool [height, width] of the object; None without a refinement.
      boxes: of all objects, the largest first; `box` alone unless all were asked for.
      box_scores: of `boxes`, the larger the better.
      classes: all in the photo, the largest first, of a network that labels pixels.
    """

    label: str
    score: float
    box: tuple[float, float, float, float]
    map: np.ndarray = dataclasses.field(repr=False)
    degenerate: bool
    confidence: float
    found: bool
    photo: np.ndarray = dataclasses.field(repr=False)
    mask: np.ndarray | None = dataclasses.field(default=None, repr=False)
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    box_scores: tuple[float, ...] = ()
    classes: tuple[FoundClass, ...] = ()

    def plot(self) -> Image.Image:
        """The photo with its map as heat, its boxes and their labels."""
        from bas_tf.report import pictures

        boxes, labels = self.boxes or [self.box], [f"{self.label} {self.score:.2f}"]
        if self.classes:
            boxes = [each.box for each in self.classes]
            labels = [each.label for each in self.classes]
        boxes = [np.asarray(box) for box in boxes]
        drawn = pictures.overlay(self.photo, self.map, boxes=boxes, labels=labels)
        return Image.fromarray(drawn)

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        content = io.BytesIO()
        self.plot().save(content, "PNG")
        return content.getvalue()


class Evaluation(dict):
    """The figures of an evaluation by name; prints as the table of the command.

    Attributes:
      document: all of metrics.json, 95 % intervals included.
    """

    def __init__(self, document: Mapping[str, Any], text: str):
        super().__init__(document["metrics"])
        self.document, self._text = document, text

    def __str__(self) -> str:
        return self._text
