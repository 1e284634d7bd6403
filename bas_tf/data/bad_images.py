"""Images that cannot be read: stop at the first, or leave them all out and list them.

A true mask that cannot be read is always an error: figures are measured against it.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import logging

from bas_tf import files
from bas_tf.data.images import in_parallel
from bas_tf.data.records import DataError, Record, Source
from bas_tf.errors import check_choice, one_line

ON_BAD_IMAGE = ("error", "skip")
LISTED_IN_LOG = 20


def readable_records(records: Sequence[Record]) -> tuple[list[Record], list[str]]:
    """Leaves out the records whose image cannot be read; decodes every image once.

    Returns:
      The records left, in order, and one line for each left out, that names the file.
    """
    faults = in_parallel(_fault, records)
    kept = [record for record, fault in zip(records, faults, strict=True) if not fault]
    return kept, [fault for fault in faults if fault]


class SkippingSource:
    """A source without the images that cannot be read; each is logged and listed.

    Attributes:
      class_names: the source's.
      splits: the source's.
      num_skipped: {split: how many images were left out}, of the splits read so far.

    Args:
      source: where the records come from.
      folder: gets `skipped_images_<split>.txt` for each split that is asked for, one
        line an image, its fault next to it; empty when nothing was left out.
    """

    def __init__(self, source: Source, folder: Path):
        self.class_names, self.splits = source.class_names, source.splits
        self.num_skipped: dict[str, int] = {}
        self._source, self._folder = source, folder

    def records(self, split: str) -> list[Record]:
        """The readable records of a split, in the source's order.

        Raises:
          DataError: the source has no such split, or none of its images can be read.
        """
        records = self._source.records(split)
        kept, faults = readable_records(records)
        self.num_skipped[split] = len(faults)
        listing = self._folder / listing_name(split)
        text = "".join(f"{line}\n" for line in faults)
        files.write_file(listing, text.encode(errors="surrogateescape"))
        if faults:
            _warn(split, faults, len(records), listing)
        if records and not kept:
            raise DataError(
                f"none of the {len(records)} images of split {split!r} "
                f"can be read; see {listing}"
            )
        return kept


def listing_name(split: str) -> str:
    """The file that lists what was left out of a split."""
    return f"skipped_images_{split}.txt"


def guard_source(source: Source, *, on_bad_image: str, folder: Path) -> Source:
    """The source as --on_bad_image wants it; see `SkippingSource` for "skip"."""
    check_choice("--on_bad_image", on_bad_image, ON_BAD_IMAGE)
    return source if on_bad_image == "error" else SkippingSource(source, folder)


def _fault(record: Record) -> str | None:
    try:
        record.load_image()
    except DataError as error:
        return one_line(error)
    return None


def _warn(split: str, faults: list[str], num_records: int, listing: Path) -> None:
    lines = faults[:LISTED_IN_LOG]
    if len(faults) > len(lines):
        lines = [*lines, f"and {len(faults) - len(lines)} more"]
    logging.warning(
        "%d of %d images of split %r cannot be read and are left out (%s):\n  %s",
        len(faults), num_records, split, listing, "\n  ".join(lines),
    )  # fmt: skip
