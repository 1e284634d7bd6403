"""Every file has one line, whatever ended the run before."""

import json

import pytest

from bas_tf.errors import UserError
from bas_tf.export.client import results_file

REQUEST = {"--model": "bas", "--class_id": None}
GOOD, BAD = {"file": "/a.jpg", "box": [0, 0, 1, 1]}, {"file": "/b.jpg", "error": "slow"}


def continued(folder, retried=()):
    with results_file.opened(folder, REQUEST) as results:
        results.start(retried)
        return results.rows


def test_rows_are_read_again(tmp_path):
    with results_file.opened(tmp_path / "out", REQUEST) as results:
        results.start([])
        results.add(GOOD)
        results.add(BAD)
    with results_file.opened(tmp_path / "out", REQUEST) as results:
        assert results.has_result("/a.jpg")
        assert not results.has_result("/b.jpg") and not results.has_result("/c.jpg")
        results.start(["/b.jpg"])
    lines = (tmp_path / "out" / "results.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [GOOD]


def test_every_place_of_a_torn_last_line(tmp_path):
    path = tmp_path / "results.jsonl"
    first, last = (json.dumps(row).encode() for row in (GOOD, BAD))
    for kept in range(len(last) + 1):
        path.write_bytes(first + b"\n" + last[:kept])
        rows = list(continued(tmp_path).values())
        assert rows == ([GOOD, BAD] if kept == len(last) else [GOOD])
        expected = first + b"\n" + (last + b"\n" if kept == len(last) else b"")
        assert path.read_bytes() == expected


@pytest.mark.parametrize("line", ["{", "", "[1]", '{"file": 3}', '{"file": "x"}'])
def test_a_foreign_line_is_left_alone_and_told(tmp_path, line):
    path = tmp_path / "results.jsonl"
    path.write_text(f"{line}\n{json.dumps(GOOD)}\n")
    with pytest.raises(UserError, match="results.jsonl: line 1 is no row of results"):
        continued(tmp_path)
    assert path.read_text().startswith(line)


def test_another_request_and_another_run_are_refused(tmp_path):
    with (
        results_file.opened(tmp_path, REQUEST),
        pytest.raises(UserError, match="another run is writing to it"),
    ):
        continued(tmp_path)
    continued(tmp_path)
    other = REQUEST | {"--model": "birds"}
    with (
        pytest.raises(UserError, match="(?s)request.json: .*bas"),
        results_file.opened(tmp_path, other),
    ):
        pass


def test_an_output_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="--output=.*file/out: Not a directory"):
        continued(tmp_path / "file" / "out")
