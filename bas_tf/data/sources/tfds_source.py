"""Source `tfds:NAME`: a classification set that tensorflow-datasets has prepared.

data.root is its data_dir ("" is TFDS_DATA_DIR, else ~/tensorflow_datasets). Nothing is
downloaded and the network is not tried: `tfds build NAME --data_dir=DIR` prepares a
set. NAME may be NAME/CONFIG and may end in :VERSION; else the newest version is read.

Read are the features `image` and `label`, and where they are there `bbox` or
`objects/bbox`, and `segmentation_mask`. The split `val` is also found as `validation`.
"""

import functools
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bas_tf.data import decode
from bas_tf.data.annotations.annotation_files import wrong_layout
from bas_tf.data.images import StoredImage
from bas_tf.data.records import DataError, Record
from bas_tf.data.sources import tfrecord_files
from bas_tf.data.sources.published import PublishedSet
from bas_tf.errors import import_extra

_BOXES = ("bbox", "objects/bbox")
_MASK = "segmentation_mask"
_FILE_NAMES = ("image/filename", "file_name", "filename", "id")
_PET = "oxford_iiit_pet"  # its masks are 1 pet, 2 background, 3 outline
_MAJORITY = 128  # others hold grey shares of votes, as CUB's


class TfdsSource(PublishedSet):
    """A prepared data set, read from its TFRecord files.

    Opening a split reads its files once, for labels and boxes; images are read again
    when asked for.

    Args:
      name: of the data set.
      data_dir: where it was prepared; "" is tensorflow-datasets' own place.
      class_names: as for `load_source`.

    Raises:
      DataError: it is not prepared there, or is no classification of images.
    """

    def __init__(
        self, *, name: str, data_dir: str = "", class_names: Sequence[str] | None = None
    ):
        self._name = re.split("[:/]", name)[0]
        self._root = _find_version(name, data_dir)
        info = _read_info(self._root)
        self._splits = {split: info.splits[split] for split in info.splits}
        if "validation" in self._splits:
            self._splits.setdefault("val", self._splits["validation"])
        self.splits = tuple(self._splits)
        own_names = info.features["label"].names
        self._set_classes(own_names, class_names)
        self._labels = [self._label_of[name] for name in own_names]

    def _records(self, split: str) -> list[Record]:
        stored, records, labels = self._splits[split].name, [], self._labels
        for position, features, place in self._examples(split):
            mask = functools.partial(_load_mask, position, place, self._name == _PET)
            records.append(
                Record(
                    image_id=_image_id(features) or f"{stored}/{len(records):07d}",
                    label=labels[_class_id(features, len(labels), place=place)],
                    image=_stored(position, place, "image"),
                    boxes_original=_boxes(features, place=place),
                    load_mask=mask if features.get(_MASK) else None,
                )
            )
        return records

    def _examples(self, split: str):
        """(position, features, place) of every record of the split's files."""
        info = self._splits[split]
        for path, expected in zip(info.filepaths, info.shard_lengths, strict=True):
            found = 0
            for position, content in tfrecord_files.scan(path):
                found += 1
                place = f"{path}, record {found}"
                features = tfrecord_files.parse_features(content, place=place)
                yield position, features, place
            if found != expected:
                raise DataError(
                    f"{path}: holds {found} records, should hold {expected}"
                )


def _find_version(name: str, data_dir: str) -> Path:
    """The folder of the newest version, or the one asked for."""
    default = os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
    root = Path(data_dir or default).expanduser()
    path, _, version = name.partition(":")
    if not path or ".." in path:
        raise DataError(f"data.source is 'tfds:{name}'; expected tfds:NAME")
    pattern = re.escape(version) if version else r"\d+\.\d+\.\d+"
    versions = [
        folder
        for folder in (root / path).glob("*")
        if re.fullmatch(pattern, folder.name) and (folder / "features.json").is_file()
    ]
    if not versions:
        raise wrong_layout(
            root / path if (root / path).is_dir() else root,
            f"{root / path}/{version or '<version>'}/ with dataset_info.json, as "
            f"`tfds build {path} --data_dir={root}` makes it",
        )
    if version:
        return versions[0]
    return max(versions, key=lambda v: [int(number) for number in v.name.split(".")])


def _read_info(folder: Path):
    """The set's DatasetInfo, checked to be a classification in TFRecord files."""
    tfds = import_extra("tensorflow_datasets", "tfds")
    try:
        info = tfds.builder_from_directory(folder).info
    except (OSError, ValueError, KeyError, RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{folder}: not a prepared data set ({reason})") from error
    features = info.features if isinstance(info.features, dict) else dict(info.features)
    if not (
        isinstance(features.get("image"), tfds.features.Image)
        and isinstance(features.get("label"), tfds.features.ClassLabel)
    ):
        raise DataError(
            f"{folder}: has the features {', '.join(features)}; expected an image and "
            "a label"
        )
    if info.file_format.value != "tfrecord":
        raise DataError(
            f"{folder}: its files are {info.file_format.value}; "
            "prepare it with `tfds build --file_format=tfrecord`"
        )
    return info


def _class_id(features: dict[str, list], count: int, *, place: str) -> int:
    class_id = (features.get("label") or [None])[0]
    if not isinstance(class_id, int) or not 0 <= class_id < count:
        raise DataError(f"{place}: label is {class_id}; expected 0 to {count - 1}")
    return class_id


def _image_id(features: dict[str, list]) -> str:
    """The image's file name, "" when it has none."""
    names = (features[key][0] for key in _FILE_NAMES if _has_bytes(features, key))
    return next(names, b"").decode(errors="replace")


def _has_bytes(features: dict[str, list], key: str) -> bool:
    return bool(features.get(key)) and isinstance(features[key][0], bytes)


def _boxes(features: dict[str, list], *, place: str) -> np.ndarray | None:
    """ymin, xmin, ymax, xmax as shares of the image, in pixels x0, y0, x1, y1.

    None without such a feature. Inverted and empty boxes stay what they are.

    Raises:
      DataError: the feature is not boxes of four finite numbers, or the image has no
        readable size.
    """
    key = next((key for key in _BOXES if key in features), None)
    if key is None:
        return None
    fault = DataError(f"{place}: {key} is not boxes of four finite numbers")
    try:
        shares = np.asarray(features[key], np.float32).reshape(-1, 4)
    except ValueError:
        raise fault from None
    content = _bytes_of(features, "image", place)
    size = np.tile(decode.read_size(content, place, upright=False), 2)
    with np.errstate(over="ignore"):  # what is beyond float32 becomes infinite
        boxes = (shares[:, [1, 0, 3, 2]] * size).astype(np.float32)
    if not np.isfinite(boxes).all():
        raise fault
    return boxes


def _bytes_of(features: dict[str, list], key: str, place: str) -> bytes:
    if not _has_bytes(features, key):
        raise DataError(f"{place}: has no {key}")
    return features[key][0]


def _stored(position: tfrecord_files.Position, place: str, key: str) -> StoredImage:
    """An image feature of a record, read anew each time."""

    def read() -> bytes:
        features = tfrecord_files.parse_features(position.read(), place=place)
        return _bytes_of(features, key, place)

    return StoredImage(read, f"{place}: {key}", upright=False)


def _load_mask(
    position: tfrecord_files.Position, place: str, is_trimap: bool
) -> np.ndarray:
    """uint8 [height, width]: 0 background, 128 ignore, 255 object."""
    mask = np.asarray(_stored(position, place, _MASK).decode())[..., 0]
    if is_trimap:
        return np.array([0, 255, 0, 128], np.uint8)[np.minimum(mask, 3)]
    if 0 < mask.max() < 8:
        raise DataError(
            f"{place}: {_MASK} holds the numbers 0 to {mask.max()}; known are greys, "
            f"object from {_MAJORITY} on, and the numbers of {_PET}"
        )
    return np.where(mask >= _MAJORITY, 255, 0).astype(np.uint8)
