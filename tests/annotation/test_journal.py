"""The journal of a run that can end at any byte."""

import pytest

from bas_tf.annotation.data_set import Object, Photo
from bas_tf.annotation.journal import JOURNAL_FILE, Journal
from bas_tf.errors import UserError

REQUEST = {"model": "m", "masks": True}
FOUND = Object(
    "猫", 0.5, (1.0, 2.0, 3.5, 4.0), mask={"size": [30, 40], "counts": [9, 5, 1186]}
)
PHOTOS = [Photo(f"é/{i}.jpg", (40, 30), (FOUND,)) for i in range(3)]


def test_a_journal_cut_at_any_byte_is_continued_to_the_same_photos(tmp_path):
    names = [photo.name for photo in PHOTOS]
    Journal(tmp_path, REQUEST).add(PHOTOS)
    whole = (tmp_path / JOURNAL_FILE).read_bytes()
    for kept in range(len(whole) + 1):
        (tmp_path / JOURNAL_FILE).write_bytes(whole[:kept])
        journal = Journal(tmp_path, REQUEST)
        journal.add(photo for photo in PHOTOS if photo.name not in journal)
        assert list(journal.photos(names)) == PHOTOS
        assert (tmp_path / JOURNAL_FILE).read_bytes() == whole
    assert list(journal.photos(["lost.jpg", names[2], names[0]])) == PHOTOS[::-2]


def test_another_request_and_a_damaged_line_are_named(tmp_path):
    Journal(tmp_path, REQUEST).add(PHOTOS)
    with pytest.raises(UserError, match="was made with masks=True, now it is False"):
        Journal(tmp_path, {**REQUEST, "masks": False})
    path = tmp_path / JOURNAL_FILE
    content = path.read_bytes().replace(b'"name"', b'"name', 1)
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"{JOURNAL_FILE}: damaged at byte"):
        Journal(tmp_path, REQUEST)
    assert path.read_bytes() == content
