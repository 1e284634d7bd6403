"""What is in a data set, as a table for the terminal."""

from collections.abc import Mapping, Sequence

from bas_tf.report import text_table
from bas_tf.report.table import MISSING

# Of each kind at most so many lines; the rest is counted.
LISTED = 20
FAULTS = {
    "source_refused": "data that cannot be opened",
    "no_split": "nothing to read",
    "class_folder": "class folders that are not read, or twice one class",
    "split_refused": "splits that cannot be opened",
    "single_class": "a single class, from which nothing can be learnt",
    "class_without_images": "classes without images",
    "unreadable_image": "images that cannot be read",
    "unreadable_mask": "masks that cannot be read",
    "mask_values": "masks without 255, the object's value",
    "mask_size": "masks of other proportions than their image",
    "label_file": "lines of labels.csv that do not fit the photos",
    "box_file": "box files that do not fit the photos",
    "box_size": "boxes drawn on pictures of another size",
    "box_inverted": "inverted boxes, which evaluation leaves out",
    "box_empty": "boxes without an area, which evaluation leaves out",
    "box_outside": "boxes that reach outside their image",
    "box_frame": "boxes that seem to be in another frame",
    "copies_across_splits": "images that are in several splits",
}
NOTES = {
    "class_without_images": "classes without images, here no fault",
    "box_file": "what else the box file holds",
    "image_without_boxes": "images without boxes, which localization leaves out",
    "dark_16_bits": "nearly black photos of 16 bits a channel",
    "mask_scaled": "masks of another size than their image, in its proportions",
    "unused_mask": "masks of no photo, expected masks/<path of its photo>.png",
    "copies_within_split": "images that are in a split more than once",
    "ignored_file": "files in class folders that are not read",
}
_COUNTS = {
    "images": "images",
    "unreadable_images": "  cannot be read",
    "images_with_boxes": "  with boxes",
    "images_without_boxes": "  without boxes",
    "images_of_several_classes": "  of several classes",
    "images_with_mask": "  with a mask",
    "boxes": "boxes",
}


def format_data(document: Mapping) -> str:
    """The whole answer of bas_tf.check_data, from what is written to JSON.

    A table with a column for each split; then what was noted and what is wrong, each
    kind under a title with its count. The last line says how many faults there are.
    """
    parts = [format_splits(document["splits"])] if document["splits"] else []
    absent = document["absent_splits"].items()
    parts += [f"{split}: not there ({reason})" for split, reason in absent]
    parts += _format_findings("note", document["notes"], NOTES)
    parts += _format_findings("fault", document["faults"], FAULTS)
    count = len(document["faults"])
    parts.append(f"{count or 'no'} fault{'' if count == 1 else 's'}")
    return "\n".join(parts)


def format_splits(splits: Mapping[str, Mapping]) -> str:
    """Counts and sizes, one column a split; then images per class."""
    found = list(splits.values())
    rows = [["", *splits]]
    rows += [[name, *(str(s[key]) for s in found)] for key, name in _COUNTS.items()]
    rows += [
        [f"{key}, min/median/max", *(_spread(s[key]) for s in found)]
        for key in ("width", "height")
    ]
    rows.append(["images per class", *("" for _ in found)])
    rows += [
        [f"  {name}", *(str(s["images_per_class"][name]) for s in found)]
        for name in found[0]["images_per_class"]
    ]
    return text_table.aligned(rows)


def _spread(lengths: Mapping[str, float] | None) -> str:
    if lengths is None:
        return MISSING
    return "/".join(f"{lengths[key]:.10g}" for key in ("min", "median", "max"))


def _format_findings(
    word: str, findings: Sequence[Mapping], titles: Mapping[str, str]
) -> list[str]:
    """Lines of the findings, kind by kind in the order of the titles."""
    order, lines = list(titles), []
    for kind in sorted({each["kind"] for each in findings}, key=order.index):
        messages = [each["message"] for each in findings if each["kind"] == kind]
        lines.append(f"{word}: {titles[kind]}: {len(messages)}")
        lines += [f"  {message}" for message in messages[:LISTED]]
        if len(messages) > LISTED:
            more = len(messages) - LISTED
            lines.append(f"  and {more} more, which --output=FILE lists")
    return lines
