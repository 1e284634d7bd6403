"""Maps averaged over sizes and mirror images of a photo."""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bas_tf import inference, names
from bas_tf.data import preprocess
from bas_tf.errors import UserError
from bas_tf.geometry import components
from bas_tf.geometry.frames import Size
from bas_tf.models.localizer import Localizer
from bas_tf.runners.runner import Runner, boxes_of_maps

MULTIPLE = 32  # every side of an input is one of its multiples
_MAP_SCALE = 4  # of a mean of different grids
_FLIP = "flip"


@dataclasses.dataclass(frozen=True)
class Views:
    """What a map is averaged over.

    Attributes:
      sizes_wh: of the network's input, the largest last.
      mirrored: each size is seen mirrored, too.
    """

    sizes_wh: tuple[Size, ...]
    mirrored: bool

    def __iter__(self):
        for size_wh in self.sizes_wh:
            for mirrored in (False, True)[: 1 + self.mirrored]:
                yield size_wh, mirrored


def parse_views(text: str, trained_size_wh: Size) -> Views:
    """Views from text such as "160,224,flip": widths of the network's input.

    Heights keep the proportions of the size it was trained at, which also stands for
    no width at all.

    Raises:
      UserError: neither a width nor "flip", or a side that is no multiple of 32.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    widths = sorted({int(word) for word in words if re.fullmatch(r"\d+", word)})
    width, height = trained_size_wh
    sizes_wh = [(w, w * height // width) for w in widths] or [(width, height)]
    known = all(word == _FLIP or word.isdecimal() for word in words)
    if not known or any(side % MULTIPLE or not side for s in sizes_wh for side in s):
        raise UserError(
            f"eval.views is {text!r}; expected widths whose sides are multiples of "
            f"{MULTIPLE}, and flip, as '{width},{width + MULTIPLE},flip'"
        )
    return Views(tuple(sizes_wh), _FLIP in words)


def scaled_sizes(
    text: str, resize_size_wh: Size, crop_size_wh: Size
) -> tuple[Size, Size]:
    """The sizes to resize and crop to, so that the crop is the largest view.

    It shows the same part of a photo as a crop of the trained size.

    Args:
      text: the views, see `parse_views`.
      resize_size_wh: width and height that go with `crop_size_wh`.
      crop_size_wh: the size the network was trained at.
    """
    largest_wh = parse_views(text, tuple(crop_size_wh)).sizes_wh[-1]
    scale = np.divide(largest_wh, crop_size_wh)
    resize_wh = np.maximum(np.rint(scale * resize_size_wh), largest_wh)
    return tuple(map(int, resize_wh)), largest_wh


def mean_over_views(
    maps_fn: Callable[[np.ndarray], Mapping[str, np.ndarray]],
    photos: Sequence[np.ndarray],
    views: Views,
) -> dict[str, np.ndarray]:
    """The mean of each photo's maps over its views.

    Args:
      maps_fn: images uint8 [n, height, width, 3] -> maps float [n, h, w] by name.
      photos: n of them, uint8 [height, width, 3] each.
      views: what is averaged over.

    Returns:
      float32 by name: [n, h, w] of views of one size; of several [n, 4 h, 4 w], where
      h x w is the smallest one's map.
    """
    found = []
    for size_wh, mirrored in views:
        images = np.stack([preprocess.resize(photo, size_wh) for photo in photos])
        if mirrored:
            images = np.ascontiguousarray(images[:, :, ::-1])
        maps = maps_fn(images)
        found.append({k: m[:, :, ::-1] if mirrored else m for k, m in maps.items()})
    return {name: _mean([maps[name] for maps in found]) for name in found[0]}


def _mean(maps_of_views: list[np.ndarray]) -> np.ndarray:
    height, width = maps_of_views[0].shape[1:]
    same_size = len({maps.shape for maps in maps_of_views}) == 1
    scale = 1 if same_size else _MAP_SCALE
    size_wh = scale * width, scale * height
    resized = [
        [components.resize_map(score_map, size_wh) for score_map in maps]
        for maps in maps_of_views
    ]
    return np.mean(resized, axis=0, dtype=np.float32)


def averaged_runner(localizer: Localizer, runner: Runner, text: str) -> Runner:
    """A model whose maps are means over views, for images of the largest view's size.

    The class is that of one view: the whole image at the size it was trained at. The
    runner is the localizer's; `parse_views` reads the text. UserError for what it
    refuses, and for a model that averages top-k maps.
    """
    if localizer.top_k > 1:
        raise UserError(f"eval.views is {text!r}, which needs model.top_k 1")
    views = parse_views(text, runner.input_size_wh)
    largest_wh, in_graph = views.sizes_wh[-1], inference.make_maps_fn(localizer)

    def of_classes(images, class_ids) -> dict[str, np.ndarray]:
        maps = mean_over_views(lambda seen: in_graph(seen, class_ids), images, views)
        mean = maps[names.LOCALIZATION_MAP]
        return {**maps, **boxes_of_maps(mean, largest_wh, runner.score_threshold)}

    def scores_fn(images) -> np.ndarray:
        size_wh = runner.input_size_wh
        return runner.scores(np.stack([preprocess.resize(i, size_wh) for i in images]))

    def predict_fn(images) -> dict[str, np.ndarray]:
        scores = scores_fn(images)
        return {names.SCORES: scores, **of_classes(images, scores.argmax(axis=-1))}

    def label_fn(images, labels) -> dict[str, np.ndarray]:
        return {**predict_fn(images), **names.of_label(of_classes(images, labels))}

    return dataclasses.replace(
        runner, predict_fn=predict_fn, label_fn=label_fn, scores_fn=scores_fn,
        input_size_wh=largest_wh, views=text, labels_pixels=False,
    )  # fmt: skip
