"""What is in a data set and what is wrong with it, found in one pass over its images.

Faults are what makes training or a score wrong. Notes are worth a look: a class that a
split of evaluation lacks, copies within a split, files that are skipped, images
without boxes next to others with, masks that are a smaller or larger picture of the
same.

Copies are images of equal pixels, so a photo saved again with other metadata, under
another name or without loss in another format is found as well.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bas_tf.data.class_counts import check_several_classes
from bas_tf.data.listing import unread_files
from bas_tf.data.records import DataError, Record, Source
from bas_tf.data.sources import SOURCES, TFDS
from bas_tf.data.sources.folder import FolderSource
from bas_tf.errors import one_line
from bas_tf.jobs.record_check import Finding, Seen, look_at_all, reaches_outside
from bas_tf.names import NO_OBJECT

SPLITS = ("train", "val", "test")
# A single box that also fits into the turned frame says nothing about the others.
MIN_TURNED_BOXES = 3
COPIES_NAMED = 4  # in the message about a group of equal images


@dataclasses.dataclass(frozen=True)
class Report:
    """All that was found; `document` has it as JSON."""

    classes: tuple[str, ...] = ()
    splits: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    absent_splits: dict[str, str] = dataclasses.field(default_factory=dict)
    faults: list[Finding] = dataclasses.field(default_factory=list)
    notes: list[Finding] = dataclasses.field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Plain dicts and lists, with the number of faults of each kind first."""
        counts = Counter(fault.kind for fault in self.faults)
        return {"num_faults": dict(counts), **dataclasses.asdict(self)}


def run_check(open_source: Callable[..., Source], *, name: str, root: str) -> Report:
    """Opens a source and checks it; data that cannot be opened are a fault.

    `open_source` takes `on_fault`, see `records.OnFault`; name and root are data.source
    and data.root. DataError where these name no data at all.
    """
    of_folders: dict[str, None] = {}  # a folder is listed several times

    def on_fault(error: DataError) -> None:
        of_folders[one_line(error)] = None

    try:
        source = open_source(on_fault=on_fault)
    except DataError as error:
        is_known = name in SOURCES or name.startswith(TFDS)
        if not (is_known and root and Path(root).exists()):
            raise
        refusal = Finding("source_refused", "", (), one_line(error))
        return Report(faults=[*_folder_faults(of_folders), refusal])
    report = check_source(source)
    report.faults[:0] = _folder_faults(of_folders)
    try:
        check_several_classes(source.class_names)
    except DataError as error:
        report.faults.append(Finding("single_class", "train", (), one_line(error)))
    return report


def _folder_faults(messages: Iterable[str]) -> list[Finding]:
    return [Finding("class_folder", "", (), message) for message in messages]


def check_source(source: Source) -> Report:
    """Reads every image, box and mask of every split; a fault ends nothing."""
    report = Report(classes=tuple(source.class_names))
    places: dict[bytes, list[tuple[str, str]]] = {}
    if isinstance(source, FolderSource):
        of_file = source.box_file
        of_labels = source.label_faults
        report.faults.extend(Finding("label_file", "", (), f) for f in of_labels)
        report.faults.extend(Finding("box_file", "", (), f) for f in of_file.faults)
        report.notes.extend(Finding("box_file", "", (), n) for n in of_file.notes)
        report.notes.extend(
            Finding("unused_mask", "", (name,), f"{name}: is of no photo")
            for name in source.unused_masks
        )
    for split in SPLITS:
        try:
            report.notes.extend(ignored_files(source, split))
            records = _read(source, split, report)
        except DataError as error:
            if split not in source.splits:  # as val or test may be
                report.absent_splits[split] = one_line(error)
            else:
                fault = Finding("split_refused", split, (), one_line(error))
                report.faults.append(fault)
            continue
        seen = list(look_at_all(records, split))
        report.splits[split] = _summary(records, seen, report.classes)
        report.faults.extend(fault for one in seen for fault in one.faults)
        report.notes.extend(note for one in seen for note in one.notes)
        report.faults.extend(frame_faults(split, records, [s.size_wh for s in seen]))
        _note_gaps(report, split, records)
        for record, one in zip(records, seen, strict=True):
            if one.digest:
                places.setdefault(one.digest, []).append((split, record.image_id))
    _add_copies(report, places.values())
    if not report.splits and not report.faults:
        message = f"none of the splits {', '.join(SPLITS)} is there"
        report.faults.append(Finding("no_split", "", (), message))
    return report


def _read(source: Source, split: str, report: Report) -> Sequence[Record]:
    """A split's records; what is wrong with their box file goes to the report."""
    if not isinstance(source, FolderSource):
        return source.records(split)
    records, boxes = source.records_and_boxes(split)
    for record, of_photo in zip(records, boxes, strict=True):
        images = (record.image_id,)
        report.faults.extend(
            Finding("box_size", split, images, message) for message in of_photo.faults
        )
        report.faults.extend(
            Finding("box_outside", split, images, message) for message in of_photo.slips
        )
    report.notes.extend(
        Finding("box_file", split, (), message)
        for message in source.box_notes(split, boxes)
    )
    return records


def ignored_files(source: Source, split: str) -> Iterator[Finding]:
    """Notes on what lies in the class folders of a folder source and is not read."""
    if not isinstance(source, FolderSource) or split not in source.splits:
        return
    if source.folder_of(split) == source.root and split != "train":
        return  # one folder for all splits
    for name, reason in unread_files(source.folder_of(split), lambda _: None):
        place = f"{split}/{name}"
        yield Finding("ignored_file", split, (place,), f"{place}: {reason}")


def frame_faults(
    split: str,
    records: Sequence[Record],
    sizes_wh: Sequence[tuple[int, int] | None],
) -> list[Finding]:
    """Boxes that seem to be in other pixels than those of the upright images.

    Guesses over a whole split, from the boxes that have an area:
      shares: no coordinate of any box is above 1. Images of one pixel are left out.
      not turned: at least MIN_TURNED_BOXES boxes reach outside their image, and most
        of them would fit were width and height swapped, as they are in a camera's file
        that EXIF turns. Boxes of such files that happen to fit are not seen.
    """
    pairs = [
        (box, size)
        for record, size in zip(records, sizes_wh, strict=True)
        if size and max(size) > 1 and record.boxes_original is not None
        for box in record.boxes_original
        if (box[2:] > box[:2]).all()
    ]
    if not pairs:
        return []
    boxes, sizes = (np.array(column) for column in zip(*pairs, strict=True))
    messages = []
    if ((boxes >= 0) & (boxes <= 1)).all():
        messages.append(
            f"{split}: no coordinate of its {len(boxes)} boxes is above 1; they seem "
            "to be shares of the image, expected are pixels"
        )
    outside = reaches_outside(boxes, sizes)
    turned = int((outside & ~reaches_outside(boxes, sizes[:, ::-1])).sum())
    if turned >= MIN_TURNED_BOXES and 2 * turned > outside.sum():
        messages.append(
            f"{split}: {turned} of the {outside.sum()} boxes that reach outside would "
            "fit with width and height swapped; they seem to be of photos before they "
            "are turned as EXIF says"
        )
    return [Finding("box_frame", split, (), message) for message in messages]


def _summary(
    records: Sequence[Record], seen: Sequence[Seen], classes: Sequence[str]
) -> dict[str, Any]:
    counts = Counter(label for record in records for label in record.labels)
    boxes = [
        0 if record.boxes_original is None else len(record.boxes_original)
        for record in records
    ]
    sizes = [one.size_wh for one in seen if one.size_wh]
    return {
        "images": len(records),
        "unreadable_images": len(seen) - len(sizes),
        "images_with_boxes": sum(count > 0 for count in boxes),
        "images_without_boxes": sum(count == 0 for count in boxes),
        "boxes": sum(boxes),
        "images_of_several_classes": sum(len(each.labels) > 1 for each in records),
        "images_with_mask": sum(record.load_mask is not None for record in records),
        "width": _spread([width for width, _ in sizes]),
        "height": _spread([height for _, height in sizes]),
        "images_per_class": {name: counts[i] for i, name in enumerate(classes)},
    }


def _spread(lengths: Sequence[int]) -> dict[str, float] | None:
    if not lengths:
        return None
    median = float(np.median(lengths))
    return {"min": min(lengths), "median": median, "max": max(lengths)}


def _note_gaps(report: Report, split: str, records: Sequence[Record]) -> None:
    """Classes without images, in train a fault; images without boxes next to others."""
    summary = report.splits[split]
    for name, count in summary["images_per_class"].items():
        if not count:
            message = f"{split}: no images of class {name!r}"
            finding = Finding("class_without_images", split, (), message)
            (report.faults if split == "train" else report.notes).append(finding)
    if summary["images_with_boxes"] == 0:
        return
    for record in records:
        if report.classes[record.label] == NO_OBJECT:
            continue
        if record.boxes_original is None or not len(record.boxes_original):
            name = record.image_id
            note = Finding("image_without_boxes", split, (name,), f"{name}: no box")
            report.notes.append(note)


def _add_copies(report: Report, groups: Iterable[list[tuple[str, str]]]) -> None:
    for group in groups:
        splits = Counter(split for split, _ in group)
        if len(splits) > 1:
            report.faults.append(_copies("copies_across_splits", "", group))
        for split, count in splits.items():
            if count > 1:
                within = [place for place in group if place[0] == split]
                report.notes.append(_copies("copies_within_split", split, within))


def _copies(kind: str, split: str, places: Sequence[tuple[str, str]]) -> Finding:
    names = [f"{image} of {place}" for place, image in places]
    if len(names) > COPIES_NAMED:
        names[COPIES_NAMED:] = [f"{len(names) - COPIES_NAMED} more"]
    message = f"{', '.join(names)}: the same pixels"
    return Finding(kind, split, tuple(image for _, image in places), message)
