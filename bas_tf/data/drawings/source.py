"""Embedded data source: drawn creatures whose class shows all over their body.

Eight classes. A class is a texture in two colours over the whole body, and an emblem
with its own shape and colour somewhere on it. Each texture, each light hue and each
deep hue belongs to two or three classes: no single pixel gives the class away, while
any part of the body that shows both colours does. The emblem gives it away at a glance
but is sometimes missing: a classifier is content with it, while the whole body is
evidence, which is the situation that background activation suppression is made for.
Body shape, pose, size and place and the whole background come from random streams that
never see the label. On request several creatures share a picture, of one class or more,
or some pictures are of the class NO_OBJECT and show the background alone.
"""

import dataclasses
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from bas_tf.data.drawings import body as bodies
from bas_tf.data.drawings.painting import SPECIES, draw_creature, draw_scenery
from bas_tf.data.images import DrawnImage
from bas_tf.data.records import DataError, Record
from bas_tf.geometry import boxes
from bas_tf.names import NO_OBJECT

# Independent random streams of one image.
_LABEL, _GEOMETRY, _SCENERY, _SKIN, _OTHERS = range(5)

_MAX_ASPECT = 3
_MIN_SIDE = 32
_MAX_OBJECTS = 4
_MAX_OVERLAP = 0.3  # more, and one creature may hide another


@dataclasses.dataclass(frozen=True)
class Example:
    """One drawn image."""

    image: np.ndarray  # RGB uint8 [height, width, 3]
    mask: np.ndarray  # uint8 [height, width], 255 on creatures of the label, else 0
    label: int  # index into `SyntheticSource.class_names`


@dataclasses.dataclass(frozen=True)
class _Creatures:
    """Those of one picture, the first at the back."""

    shapes: Sequence[bodies.Body]
    coverages: Sequence[np.ndarray]  # of `body.coverage`, one each
    labels: np.ndarray  # int [n], their classes

    def visible_masks(self, label: int) -> np.ndarray:
        """What is seen of those of a class: uint8 [k, height, width], 255 or 0."""
        return bodies.visible_masks(self.coverages)[self.labels == label]

    def class_mask(self) -> np.ndarray:
        """uint8 [height, width]: 0 background, k + 1 class k."""
        shown = bodies.visible_masks(self.coverages) > 0
        values = (self.labels + 1).astype(np.uint8)[:, np.newaxis, np.newaxis]
        return (shown * values).max(axis=0)


class SyntheticSource:
    """Images drawn on demand: a pure function of seed, split, index and size."""

    class_names = tuple(species.name for species in SPECIES)

    def __init__(
        self,
        *,
        image_size: tuple[int, int] = (144, 144),
        num_images: Mapping[str, int],
        seed: int = 0,
        objects_per_image: int = 1,
        object_overlap: float = 0.0,
        none_every: int = 0,
        classes_per_image: int = 1,
    ) -> None:
        """Sets what can be drawn; nothing is drawn yet.

        Args:
          image_size: width and height in pixels.
          num_images: the number of images in every split.
          seed: another seed gives other images.
          objects_per_image: creatures in a picture, 1 to 4.
          object_overlap: 0 keeps their boxes apart; see `body.sample_group`.
          none_every: each so many-th image shows no creature; 0 for none.
          classes_per_image: how many classes these are of. Boxes and mask are of the
            label's creatures; the class mask shows all.

        Raises:
          DataError: a side under 32 pixels, one side over three times the other, a
            split without images, a negative seed, too many creatures or too close, or
            more classes than creatures.
        """
        _check_arguments(image_size, num_images, seed)
        _check_group(objects_per_image, object_overlap, classes_per_image)
        self._group = {
            "count": int(objects_per_image),
            "max_iou": object_overlap,
            "classes": int(classes_per_image),
        }
        self._image_size = (int(image_size[0]), int(image_size[1]))
        self._num_images = dict(num_images)
        self.splits = tuple(self._num_images)
        self._seed, self._none_every = seed, none_every
        if none_every:
            self.class_names = (*self.class_names, NO_OBJECT)

    def records(self, split: str) -> Sequence[Record]:
        """The split's records; the creatures' classes differ in number by one at most.

        Raises:
          DataError: the source has no such split.
        """
        if split not in self._num_images:
            known = ", ".join(sorted(self._num_images))
            raise DataError(f"synthetic: no split {split!r}; known splits: {known}")
        return [self._record(split, i) for i in range(self._num_images[split])]

    def _record(self, split: str, index: int) -> Record:
        size, scene = self._image_size, (self._seed, split, index)
        is_none = bool(self._none_every) and (index + 1) % self._none_every == 0
        label = _label(*scene)

        def creatures() -> _Creatures:
            return _creatures(scene, size, **self._group)

        def draw() -> np.ndarray:
            return _draw(scene, size, None if is_none else creatures())

        if is_none:
            no_object = self.class_names.index(NO_OBJECT)
            return Record(f"{split}/{index:06d}", no_object, DrawnImage(draw, size))
        drawn = creatures()
        masks = drawn.visible_masks(label)
        return Record(
            image_id=f"{split}/{index:06d}",
            label=label,
            image=DrawnImage(draw, size),
            boxes_original=np.stack([boxes.box_from_mask(m) for m in masks]),
            load_mask=lambda: creatures().visible_masks(label).max(axis=0),
            other_labels=tuple(sorted({*drawn.labels.tolist()} - {label})),
            load_class_mask=lambda: creatures().class_mask(),
        )


def draw_example(
    *,
    seed: int,
    split: str,
    index: int,
    image_size: tuple[int, int],
    hide_object: bool = False,
) -> Example:
    """Draws one image of one creature, with its exact mask.

    Args:
      seed, split, index: name the scene.
      image_size: width and height in pixels; sizes of one aspect ratio show the same
        scene.
      hide_object: leave the creature out; all other pixels stay, and mask and label are
        still the creature's.
    """
    scene, label = (seed, split, index), _label(seed, split, index)
    drawn = _creatures(scene, image_size, count=1, max_iou=0.0, classes=1)
    image = _draw(scene, image_size, None if hide_object else drawn)
    mask = drawn.visible_masks(label).max(axis=0)
    return Example(image=image, mask=mask, label=label)


def _draw(
    scene: tuple[int, str, int], size: tuple[int, int], drawn: _Creatures | None
) -> np.ndarray:
    """The scenery and, if any, creatures in it, later ones over earlier ones."""
    image, skin = draw_scenery(_rng(*scene, _SCENERY), size), _rng(*scene, _SKIN)
    if drawn is not None:
        for body, covered, label in zip(
            drawn.shapes, drawn.coverages, drawn.labels, strict=True
        ):
            draw_creature(image, skin, SPECIES[label], body, covered)
    return image


def _creatures(
    scene: tuple[int, str, int], size: tuple[int, int], *, classes: int, **group
) -> _Creatures:
    """Who is in a picture: the label and, drawn without repetition, other classes."""
    shapes = bodies.sample_group(_rng(*scene, _GEOMETRY), size, **group)
    coverages = [bodies.coverage(body.outline, size) for body in shapes]
    label, rng = _label(*scene), _rng(*scene, _OTHERS)
    others = rng.permutation([i for i in range(len(SPECIES)) if i != label])
    labels = rng.permutation([label, *others[: classes - 1]])
    return _Creatures(shapes, coverages, np.resize(labels, len(shapes)))


def _check(is_right: bool, name: str, value: object, what_works: str) -> None:
    if not is_right:
        raise DataError(f"synthetic: {name} is {value}; {what_works}")


def _check_arguments(
    image_size: tuple[int, int], num_images: Mapping[str, int], seed: int
) -> None:
    (width, height), few = image_size, f"sides start at {_MIN_SIDE}"
    _check(min(width, height) >= _MIN_SIDE, "image_size", f"{width}x{height}", few)
    is_wide = max(width, height) > _MAX_ASPECT * min(width, height)
    few = f"one side may be at most {_MAX_ASPECT} times the other"
    _check(not is_wide, "image_size", f"{width}x{height}", few)
    for split, count in num_images.items():
        _check(count > 0, f"num_images of split {split!r}", count, "at least 1 works")
    _check(seed >= 0, "seed", seed, "at least 0 works")


def _check_group(objects: int, overlap: float, classes: int) -> None:
    works = f"1 to {_MAX_OBJECTS} work"
    _check(1 <= objects <= _MAX_OBJECTS, "objects_per_image", objects, works)
    works = f"0 to {_MAX_OVERLAP} work"
    _check(0 <= overlap <= _MAX_OVERLAP, "object_overlap", overlap, works)
    works = f"1 to {objects}, which is objects_per_image, work"
    _check(1 <= classes <= objects, "classes_per_image", classes, works)


def _rng(seed: int, split: str, index: int, stream: int) -> np.random.Generator:
    return np.random.default_rng((seed, zlib.crc32(split.encode()), index, stream))


def _label(seed: int, split: str, index: int) -> int:
    """Each run of eight images shows the eight classes in its own order."""
    run, place = divmod(index, len(SPECIES))
    return int(_rng(seed, split, run, _LABEL).permutation(len(SPECIES))[place])
