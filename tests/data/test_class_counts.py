"""A training without images of a class is refused, whatever the source."""

import pytest

from bas_tf.data import class_counts
from bas_tf.data.records import Record
from bas_tf.errors import DataError

NAMES = tuple("abcdefgh")


def check(labels):
    records = [Record(str(i), label, None) for i, label in enumerate(labels)]
    class_counts.check_every_class_has_images(records, NAMES, "train")


def test_images_of_every_class():
    check([*range(8), 3])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 2, 3, 5, 6, 7], r"no images of 1 of its 8 classes \(e\);"),
        ([2, 6, 7], r"no images of 5 of its 8 classes \(a, b, d, e, f\);"),
        ([7], r"no images of 7 of its 8 classes \(a, b, c, d, e and 2 more\);"),
    ],
)
def test_classes_without_images_are_counted_and_the_first_five_named(labels, message):
    with pytest.raises(DataError, match=f"split 'train' has {message}.*check_data"):
        check(labels)


def test_a_single_class_is_refused():
    class_counts.check_several_classes(NAMES)
    with pytest.raises(DataError, match="one class, 'a'"):
        class_counts.check_several_classes(("a",))
