"""What the sources of published data sets share."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from bas_tf.data.annotations.annotation_files import labels_of
from bas_tf.data.images import image_file
from bas_tf.data.records import DataError, Record


class PublishedSet:
    """A set in the layout that its module's docstring shows; a `Source`.

    Boxes and masks lie on the pixels as they are stored, whatever EXIF says.

    Args of each:
      root: the folder that holds what is shown.
      class_names: as for `load_source`.

    Raises:
      DataError: another layout, or an annotation that is missing or wrong; some only
        when records are asked for.
    """

    splits: tuple[str, ...]
    class_names: tuple[str, ...]
    _root: Path
    _label_of: dict[str, int]

    def records(self, split: str) -> list[Record]:
        """The photos of a split, in the order in which the set lists them."""
        if split not in self.splits:
            known = ", ".join(self.splits)
            raise DataError(f"{self._root}: no split {split!r}; it has {known}")
        return self._records(split)

    def _records(self, split: str) -> list[Record]:
        raise NotImplementedError

    def _set_classes(
        self,
        own_names: Iterable[str],
        class_names: Sequence[str] | None,
        folder: str = "",
    ) -> None:
        """Labels of the set's own classes, as a model numbers them."""
        self.class_names, place = tuple(class_names or own_names), self._root / folder
        self._label_of = labels_of(own_names, self.class_names, folder=place)

    def _record(self, name: str, label: int, *, folder: str = "", **truth) -> Record:
        """A record of a photo at `name` in a folder of the root."""
        image = image_file(f"{self._root}/{folder}{name}", upright=False)
        return Record(image_id=name, label=label, image=image, **truth)
