"""Numbers of versions, and that a version is never seen by half."""

import os
import subprocess
import sys
import threading

import pytest

from bas_tf.errors import UserError
from bas_tf.export.server import versions
from tests.commands import REPO


def made(parent, name="model", content="whole"):
    folder = parent / name
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_text(content)
    return folder


def added(serving_dir):
    with versions.temporary_folder(serving_dir) as temporary:
        return versions.add_version(made(temporary), serving_dir)


def test_numbers_ascend_from_one(tmp_path):
    serving_dir = tmp_path / "new" / "bas"
    assert [added(serving_dir) for _ in range(3)] == [
        serving_dir / "1", serving_dir / "2", serving_dir / "3"
    ]  # fmt: skip
    assert sorted(os.listdir(serving_dir)) == ["1", "2", "3"]
    assert (serving_dir / "3" / "saved_model.pb").read_text() == "whole"


@pytest.mark.parametrize("names, expected", [
    (["1", "9", "10"], "11"),
    (["2"], "3"),  # what was taken out before is not given again while a later is there
    (["007"], "8"),  # version 7 to the server
    (["+4", " 5 "], "6"),  # so are these, by its way to read numbers
    (["-3"], "1"),
    (["3.bak", "4x", ".5", "6-copy", "1e3", "0x9", "1_000", ".new-8"], "1"),
    (["²", "٣", "９", "Ⅸ"], "1"),  # digits, but not to the server
    (["\u20033"], "1"),  # nor is that white space
    (["models.config", "compose.yaml"], "1"),
    ([str(2**63), str(10**30)], "1"),  # more than an int64: no version to the server
    ([str(2**63 - 2)], str(2**63 - 1)),
])  # fmt: skip
def test_what_counts_as_a_version(tmp_path, names, expected):
    for name in names:
        (tmp_path / name).mkdir()
    assert added(tmp_path).name == expected


def test_a_file_named_as_a_version_counts(tmp_path):
    (tmp_path / "3").write_text("")
    assert added(tmp_path).name == "4"


def test_no_number_left(tmp_path):
    (tmp_path / str(2**63 - 1)).mkdir()
    with pytest.raises(UserError, match=r"^--serving_dir=.* no number is left"):
        added(tmp_path)
    assert len(os.listdir(tmp_path)) == 1


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_number_taken_in_between_is_passed_over(tmp_path, monkeypatch, kind):
    """Another export finishes after the names were read."""
    real, calls = os.listdir, []

    def listdir(path):
        names = real(path)
        if path != tmp_path:
            return names
        if not calls and kind == "file":
            (tmp_path / "1").write_text("theirs")
        elif not calls:
            made(tmp_path, "1", "theirs")
        calls.append(path)
        return names

    monkeypatch.setattr(os, "listdir", listdir)
    with versions.temporary_folder(tmp_path) as temporary:
        version = versions.add_version(made(temporary), tmp_path)
    theirs = tmp_path / "1" if kind == "file" else tmp_path / "1" / "saved_model.pb"
    assert version == tmp_path / "2" and len(calls) == 2
    assert theirs.read_text() == "theirs"
    assert (version / "saved_model.pb").read_text() == "whole"


SCRIPT = """
import pathlib, sys
from bas_tf.export.server import versions

serving_dir = pathlib.Path(sys.argv[1])
sys.stdin.readline()  # all start at once
for i in range(20):
    with versions.temporary_folder(serving_dir) as temporary:
        new = temporary / "model"
        new.mkdir()
        (new / "a").write_text(sys.argv[2])
        (new / "b").write_text(sys.argv[2])
        versions.add_version(new, serving_dir)
"""


def test_exports_at_the_same_time_get_numbers_of_their_own(tmp_path):
    """A reader polls meanwhile: each version has both of its files when first seen."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(tmp_path), who],
            cwd=REPO, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for who in "xyz"
    ]  # fmt: skip
    halves, done = [], threading.Event()

    def poll():
        while not done.is_set():
            for name in os.listdir(tmp_path):
                if name.isdigit() and sorted(os.listdir(tmp_path / name)) != ["a", "b"]:
                    halves.append(name)

    reader = threading.Thread(target=poll)
    reader.start()
    try:
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        failed = [process.communicate(timeout=60)[1] for process in processes]
    finally:
        done.set()
        reader.join()
        for process in processes:
            process.kill()
    assert failed == ["", "", ""]
    assert not halves
    assert sorted(map(int, os.listdir(tmp_path))) == list(range(1, 61))
    owners = [
        {(tmp_path / str(n) / name).read_text() for name in "ab"} for n in range(1, 61)
    ]
    assert all(len(names) == 1 for names in owners)


def test_a_failed_export_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="full"), versions.temporary_folder(tmp_path) as t:
        made(t)
        assert t.parent == tmp_path and t.name.startswith(".new-")
        raise OSError("the disk is full")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("place", ["a file", "under a file", "/proc/bas"])
def test_where_no_folder_can_be(tmp_path, place):
    (tmp_path / "a file").write_text("")
    serving_dir = tmp_path / {"under a file": "a file/bas"}.get(place, place)
    with pytest.raises(UserError, match=r"^--serving_dir=.*: cannot be written \(.+\)"):
        added(serving_dir)


def test_the_folder_is_gone_before_the_version_is_added(tmp_path):
    new = made(tmp_path)
    with pytest.raises(UserError, match=r"^--serving_dir=.*: cannot be written \(.+\)"):
        versions.add_version(new, tmp_path / "nowhere")
    assert new.is_dir()


def test_other_users_can_read_a_version(tmp_path):
    """The server may be one; the temporary folder itself is closed to it."""
    before = os.umask(0o022)
    try:
        assert added(tmp_path).stat().st_mode & 0o777 == 0o755
    finally:
        os.umask(before)
