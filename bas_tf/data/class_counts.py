"""Whether a split has what a training needs of every class."""

from collections.abc import Sequence

from bas_tf.data.records import DataError, Record

_NAMED = 5


def check_several_classes(class_names: Sequence[str]) -> None:
    """Raises DataError for a single class, whose softmax is always 1."""
    if len(class_names) < 2:
        raise DataError(
            f"the data has one class, {class_names[0]!r}, from which nothing can be "
            "learnt: add a second class, or a folder _none of photos without it"
        )


def check_every_class_has_images(
    records: Sequence[Record], class_names: Sequence[str], split: str
) -> None:
    """Raises DataError where a class of a split could not be learnt.

    It says how many have no record, and names the first five.
    """
    labels = {label for record in records for label in record.labels}
    empty = [name for label, name in enumerate(class_names) if label not in labels]
    if not empty:
        return
    more = f" and {len(empty) - _NAMED} more" * (len(empty) > _NAMED)
    raise DataError(
        f"split {split!r} has no images of {len(empty)} of its {len(class_names)} "
        f"classes ({', '.join(empty[:_NAMED])}{more}); add images of them or take "
        "them out of the data; `python -m bas_tf.check_data` lists them all, and the "
        "files that are skipped"
    )
