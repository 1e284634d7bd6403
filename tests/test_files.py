"""Never half a file."""

import json

import pytest

from bas_tf.errors import UserError
from bas_tf.files import write_json


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
