"""Never half a file."""

import json
import os

import pytest

from bas_tf.errors import UserError
from bas_tf.files import check_not_inputs, unused_name, write_file, write_json


def test_a_file_is_replaced_whole_or_kept(tmp_path):
    path = tmp_path / "metrics.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1}
    write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 2}
    assert len(list(tmp_path.iterdir())) == 1


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/metrics\.json: cannot be written"):
        write_json(tmp_path / "file" / "metrics.json", {})
    (tmp_path / "metrics.json").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        write_json(tmp_path / "metrics.json", {})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "metrics.json"]


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path):
    write_file(tmp_path / ("é" * 127 + "x"), b"content")
    assert (tmp_path / ("é" * 127 + "x")).read_bytes() == b"content"


@pytest.mark.parametrize("letter", ["m", "é", "カ"])
def test_a_long_stem_is_cut_and_stays_unused(letter):
    taken = []
    for _ in range(11):
        name = unused_name(f"overlays/{letter * 250}", "_localized.png", taken)
        assert len(os.fsencode(name.removeprefix("overlays/"))) <= 255
        assert name.endswith(".png") and name not in taken
        taken.append(name)


@pytest.mark.parametrize("kind", ["same", "symbolic", "hard", "relative", "folder"])
def test_an_input_by_any_name_is_no_output(tmp_path, monkeypatch, kind):
    """Of a folder every file counts, through links to folders and a circle of them."""
    (tmp_path / "photos").mkdir()
    photo = tmp_path / "photos" / "a.png"
    photo.touch()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cats").symlink_to(tmp_path / "photos")
    (tmp_path / "data" / "circle").symlink_to(tmp_path / "data")
    (tmp_path / "symbolic").symlink_to(photo)
    (tmp_path / "hard").hardlink_to(photo)
    monkeypatch.chdir(tmp_path)
    output = {"same": photo, "relative": "photos/../photos/a.png", "folder": "photos"}
    for read in (photo, tmp_path / "data"):
        with pytest.raises(UserError, match="input"):
            check_not_inputs([output.get(kind, kind)], [read])
    check_not_inputs([tmp_path / "new.png", tmp_path / "photos" / "b.png"], [photo])
