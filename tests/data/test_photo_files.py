"""Which photos the arguments of a command name."""

import pytest

from bas_tf.data.photo_files import find_photos
from bas_tf.errors import UserError


def test_files_and_folders_without_what_is_no_photo(tmp_path):
    names = [
        "b.JPG", "sub/a.png", "sub/-x.jpeg", "notes.txt", "._b.jpg", ".cache/c.png",
        "__MACOSX/b.jpg", "sub/@eaDir/a.png", "found/b_localized.png",
    ]  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    photos = find_photos(
        [tmp_path, tmp_path / "b.JPG", tmp_path / "notes.txt"],
        output=tmp_path / "sub" / ".." / "found",
    )
    found = [path.relative_to(tmp_path).as_posix() for path in photos]
    assert found == ["b.JPG", "sub/-x.jpeg", "sub/a.png", "notes.txt"]


def test_what_has_no_photo_is_named(tmp_path):
    for path in (tmp_path, tmp_path / "lost.jpg"):
        with pytest.raises(UserError, match=str(path)):
            find_photos([path], output=tmp_path / "out")
