"""The web page's benchmark: its numbers by hand, its mistakes in one line."""

import gzip
import sys

import pytest

from benchmarks import web_page
from tests.commands import exit_code_in_process, only_error_line
from tests.export.web import page_session

ADDRESS = "http://127.0.0.1:8765/"


def test_the_weight_is_that_of_the_files_named(tmp_path):
    (tmp_path / "wasm").mkdir()
    contents = {"index.html": b"<p>" * 100, "wasm/a.wasm": b"a" * 50, "b.js": b""}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    zipped = [len(gzip.compress(contents[name])) for name in ("index.html", "b.js")]
    assert web_page.page_weight(tmp_path, ["index.html", "wasm/a.wasm"])["bytes"] == 350
    assert web_page.page_weight(tmp_path, ["index.html", "b.js"]) == {
        "bytes": 300, "gzipped_bytes": sum(zipped),
    }  # fmt: skip
    assert sum(zipped) < 100  # of 300 bytes


def test_what_a_page_loaded_is_named_once_and_without_models():
    files = ["wasm/a.wasm", "assets/a.js", "", "models/localizer_int8.tflite"]
    urls = [f"{ADDRESS}{name}" for name in (*files, "wasm/a.wasm")]
    urls.append(f"blob:{ADDRESS}0a1b")
    assert web_page.loaded_names(urls, ADDRESS) == [
        "assets/a.js", "index.html", "wasm/a.wasm",
    ]  # fmt: skip


def test_the_ratio_is_taken_in_each_round():
    """2 / 1, 9 / 3, 8 / 1: the medians' own ratio would be 8 / 1."""
    assert web_page.ratios([2.0, 9.0, 8.0], [1.0, 3.0, 1.0]) == {
        "median": 3.0, "lowest": 2.0, "highest": 8.0,
    }  # fmt: skip


def told_in(monkeypatch, capsys, tmp_path, **flags) -> str:
    flags = {"artifacts": tmp_path, "output": tmp_path / "out.json", **flags}
    args = [f"--{name}={value}" for name, value in flags.items() if value is not None]
    assert exit_code_in_process(monkeypatch, "benchmarks.web_page", *args) == 2
    assert not (tmp_path / "out.json").exists()
    return only_error_line(capsys.readouterr().err)


def test_without_chromium_the_line_says_what_to_install(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert told_in(monkeypatch, capsys, tmp_path) == (
        "error: chromium and chromedriver: not found, and the page runs in Chromium "
        "(Debian: apt-get install chromium chromium-driver)"
    )


def test_without_selenium_the_line_says_what_to_do(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "selenium", None)
    assert told_in(monkeypatch, capsys, tmp_path) == (
        "error: selenium is not installed, and drives the browser: make setup"
    )


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({"artifacts": None}, "--artifacts"),
        ({"output": None}, "--output"),
        ({"rounds": 4}, "--rounds=4"),
        ({}, "has no localizer_int8.tflite; export.tflite writes them"),
    ],
    ids=str,
)
def test_mistakes_in_the_flags(monkeypatch, capsys, tmp_path, flags, told):
    monkeypatch.setattr(page_session, "PROGRAMS", ("sh",))  # Chromium or not
    assert told in told_in(monkeypatch, capsys, tmp_path, **flags)
