"""A site is written whole or not at all; mistakes are one line."""

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import pytest

from bas_tf.errors import UserError
from bas_tf.export.artifacts import model_card
from bas_tf.export.web import build, server, site
from bas_tf.runners.tflite_document import DOCUMENT_FORMAT
from tests.commands import exit_code_in_process, only_error_line, start_command

INT8, FLOAT32, DYNAMIC = (
    f"localizer_{kind}.tflite" for kind in ("int8", "float32", "dynamic")
)


DOCUMENT = {
    "format": DOCUMENT_FORMAT,
    "name": "small",
    "class_names": ["ape", "bee"],
    "inputs": {"images": {"shape": [1, 64, 96, 3], "height": 64, "width": 96}},
    "training": {"config_sha256": "ab12", "seed": 0, "steps": 30},
}


def write_model(path: Path, **changed) -> Path:
    """A file that says what a localizer's says, with no network in it."""
    document = DOCUMENT | changed
    path.write_bytes(b"\x1c\0\0\0TFL3")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", "\n".join([*document["class_names"], ""]))
        archive.writestr("bas_tf.json", json.dumps(document))
    return path


@pytest.fixture
def small_page(tmp_path) -> Path:
    """A folder as `build.built_page` leaves it."""
    folder = tmp_path / "dist"
    for name in ("index.html", "sw.js", "assets/a.js", "wasm/a.wasm", ".sources"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@pytest.fixture
def models(tmp_path) -> dict[str, Path]:
    folder = tmp_path / "artifacts"
    folder.mkdir()
    (folder / "model_card.md").write_text("# Model card")
    given = write_model(folder / "given_class_int8.tflite")
    return {"localizer": write_model(folder / INT8), "given_class": given}


@pytest.fixture
def old_site(small_page, models, tmp_path) -> Path:
    output = tmp_path / "sites" / "site"
    site.write_site(small_page, models, output)
    return output


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def precache(folder: Path) -> dict:
    text = (folder / "precache.js").read_text()
    return json.loads(text.removeprefix("const SITE = ").removesuffix(";\n"))


def test_a_site_is_the_page_the_models_and_what_they_say(small_page, models, tmp_path):
    output = tmp_path / "new" / "site"
    site.write_site(small_page, models, output)
    assert set(tree(output)) == {
        "index.html", "sw.js", "assets/a.js", "wasm/a.wasm", "site.json", "precache.js",
        "models/localizer_int8.tflite", "models/given_class_int8.tflite",
        "models/localizer_int8.tflite.gz", "models/given_class_int8.tflite.gz",
        "model_card.txt",
    }  # fmt: skip
    document = json.loads((output / "site.json").read_text())
    content = models["localizer"].read_bytes()
    assert document["localizer"] == {
        "file": "models/localizer_int8.tflite",
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "document": DOCUMENT,
    }
    assert document["given_class"]["file"] == "models/given_class_int8.tflite"
    assert document["card"] == "model_card.txt"
    # All is kept for use without a network but what each browser chooses for itself.
    assert precache(output)["files"] == [
        "./", "assets/a.js", "index.html", "model_card.txt",
        "models/given_class_int8.tflite", "models/localizer_int8.tflite", "site.json",
    ]  # fmt: skip
    assert precache(output)["runtime"] == ["wasm/a.wasm"]


def test_the_card_is_looked_for_where_it_is_written():
    assert site.MODEL_CARD == model_card.CARD_FILE


def test_a_site_without_a_card_or_a_given_class(small_page, models, tmp_path):
    (tmp_path / "artifacts" / "model_card.md").unlink()
    del models["given_class"]
    site.write_site(small_page, models, tmp_path / "site")
    document = json.loads((tmp_path / "site" / "site.json").read_text())
    assert document["given_class"] is None and document["card"] is None


def test_another_model_is_another_version(small_page, models, tmp_path):
    versions = []
    for name in ("small", "small", "other"):
        write_model(models["localizer"], name=name)
        site.write_site(small_page, models, tmp_path / "site")
        versions.append(precache(tmp_path / "site")["version"])
    assert versions[0] == versions[1] != versions[2]


@pytest.mark.parametrize(
    ("what", "changed"),
    [
        ("classes", {"class_names": ["ape", "cow"]}),
        ("image size", {"inputs": {"images": {"height": 96, "width": 64}}}),
        ("training", {"training": {**DOCUMENT["training"], "steps": 60}}),
    ],
)
def test_a_given_class_file_of_another_training_is_refused(
    small_page, models, tmp_path, what, changed
):
    given = write_model(models["given_class"], **changed)
    told = f"{given}: not of the same {what} as {INT8}; export both from one workdir"
    with pytest.raises(UserError, match=told):
        site.write_site(small_page, models, tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_a_failure_leaves_the_old_site_and_nothing_else(
    small_page, models, old_site, tmp_path
):
    before = tree(old_site)
    lost = {**models, "given_class": write_model(tmp_path / "lost.tflite")}
    lost["given_class"].write_bytes(b"")
    with pytest.raises(UserError, match="lost.tflite: not a localizer's TFLite file"):
        site.write_site(small_page, lost, old_site)
    (small_page / "models").mkdir()  # where the models would go: the copy fails midway
    with pytest.raises(
        UserError, match=r"--output=.*: cannot be written \(File exists"
    ):
        site.write_site(small_page, models, old_site)
    (small_page / "models").rmdir()
    (small_page / "icon.svg").symlink_to("lost")
    told = r"--output=.*: cannot be written \(.*No such file or directory.*icon.svg"
    with pytest.raises(UserError, match=told):
        site.write_site(small_page, models, old_site)
    assert tree(old_site) == before
    assert os.listdir(old_site.parent) == ["site"]


def test_a_link_stays_and_the_folder_that_it_names_is_replaced(
    small_page, models, tmp_path
):
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "site").symlink_to(tmp_path / "kept" / "site")
    for name in ("small", "other"):  # the folder is new, then a site
        write_model(models["localizer"], name=name)
        site.write_site(small_page, models, tmp_path / "www" / "site")
    document = json.loads((tmp_path / "kept" / "site" / "site.json").read_text())
    assert document["localizer"]["document"]["name"] == "other"
    assert (tmp_path / "www" / "site").is_symlink()
    assert os.listdir(tmp_path / "www") == os.listdir(tmp_path / "kept") == ["site"]


def before_rename(monkeypatch, events: dict) -> None:
    """Lets something happen before some of the coming renames, counted from 1.

    The first takes the old site away, the second puts the new one in its place, a
    third puts the old one back.
    """
    rename, count = Path.rename, 0

    def rename_later(path: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        events.get(count, lambda: None)()
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", rename_later)


def fail(error: BaseException):
    raise error


def test_ctrl_c_between_the_renames_brings_the_old_site_back(
    small_page, models, old_site, monkeypatch
):
    before = tree(old_site)
    write_model(models["localizer"], name="other")
    before_rename(monkeypatch, {2: lambda: fail(KeyboardInterrupt())})
    with pytest.raises(KeyboardInterrupt):
        site.write_site(small_page, models, old_site)
    assert tree(old_site) == before
    assert os.listdir(old_site.parent) == ["site"]


def test_an_old_site_that_cannot_come_back_is_kept_and_named(
    small_page, models, old_site, monkeypatch
):
    before = tree(old_site)
    broken = OSError(errno.EIO, "Input/old_site error")
    before_rename(monkeypatch, dict.fromkeys((2, 3), lambda: fail(broken)))
    told = r"cannot be written \(Input/old_site error\); the site .* is now (.*\.old)$"
    with pytest.raises(UserError, match=told) as caught:
        site.write_site(small_page, models, old_site)
    (kept,) = old_site.parent.iterdir()
    assert str(caught.value).endswith(f" {kept}")
    assert tree(kept) == before


def test_of_two_processes_the_slower_one_is_told_and_the_site_is_whole(
    small_page, models, old_site, tmp_path, monkeypatch
):
    other = tmp_path / "other"
    write_model(models["localizer"], name="other")
    site.write_site(small_page, models, other)
    before_rename(monkeypatch, {2: lambda: shutil.copytree(other, old_site)})
    with pytest.raises(UserError, match=r"cannot be written \(Directory not empty\)$"):
        site.write_site(small_page, models, old_site)
    assert tree(old_site) == tree(other)
    assert os.listdir(old_site.parent) == ["site"]


def test_the_smallest_faithful_file_is_chosen(tmp_path):
    for name in (DYNAMIC, FLOAT32, INT8, "given_class_float32.tflite"):
        (tmp_path / name).write_bytes(b"")
    found = site.find_models(tmp_path)
    assert found["localizer"].name == INT8
    assert found["given_class"].name == "given_class_float32.tflite"
    (tmp_path / INT8).unlink()
    assert site.find_models(tmp_path)["localizer"].name == FLOAT32
    found = site.find_models(tmp_path, quantize="dynamic")
    assert [path.name for path in found.values()] == [DYNAMIC]


def test_no_file_to_run(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        site.find_models(tmp_path / "lost")
    (tmp_path / "given_class_int8.tflite").write_bytes(b"")
    with pytest.raises(UserError, match=f"has no {INT8} or .* or {DYNAMIC}; export"):
        site.find_models(tmp_path)
    (tmp_path / FLOAT32).write_bytes(b"")
    with pytest.raises(UserError, match=f"has no {INT8}; export.tflite"):
        site.find_models(tmp_path, quantize="int8")


def test_something_else_is_never_overwritten(small_page, models, tmp_path):
    site.check_output(tmp_path / "new")
    (tmp_path / "empty").mkdir()
    site.check_output(tmp_path / "empty")
    site.write_site(small_page, models, tmp_path / "site")
    site.check_output(tmp_path / "site")
    for taken in (tmp_path / "artifacts", models["localizer"]):
        with pytest.raises(UserError, match=f"{taken}: is there and is no site"):
            site.check_output(taken)


def test_mistakes_at_the_command_are_one_line(models, tmp_path, monkeypatch, capsys):
    artifacts, output = tmp_path / "artifacts", tmp_path / "site"
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    cases = [
        ([f"--artifacts={tmp_path}", f"--output={output}"], "has no localizer_int8"),
        ([f"--artifacts={artifacts}", f"--output={tmp_path / 'full'}"], "is no site"),
        ([f"--artifacts={artifacts}"], "--output"),
    ]
    for args, told in cases:
        assert exit_code_in_process(monkeypatch, "export.web", *args) == 2
        assert told in only_error_line(capsys.readouterr().err)
    assert not output.exists()


def test_without_npm_the_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(build, "BUILT", tmp_path / "dist")
    monkeypatch.setattr(build, "PACKAGES", tmp_path / "node_modules")
    with pytest.raises(UserError, match="npm: not found.*install Node.js 20.19 or la"):
        build.built_page()


def test_npm_that_fails_is_told_and_nothing_is_left(tmp_path, monkeypatch):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error nothing there' >&2\nexit 7\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(build, "BUILT", tmp_path / "dist")
    monkeypatch.setattr(build, "PACKAGES", tmp_path / "node_modules")
    with pytest.raises(UserError, match="npm ci in .*page: failed .npm error nothing"):
        build.built_page()
    assert not (tmp_path / "dist").exists()


BUILD_A_COPY = """
import pathlib, sys
from bas_tf.export.web import build
build.PAGE = pathlib.Path(sys.argv[1])
build.BUILT, build.PACKAGES = build.PAGE / "dist", build.PAGE / "node_modules"
print(build.built_page().name, build.built_page().stat().st_ino)
"""


@pytest.mark.slow
def test_of_two_processes_one_builds_and_both_have_the_page(page, tmp_path):
    copy = tmp_path / "page"
    outputs = shutil.ignore_patterns("dist", "node_modules", ".dist.*")
    shutil.copytree(build.PAGE, copy, ignore=outputs)
    (copy / "node_modules").symlink_to(build.PACKAGES)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", BUILD_A_COPY, copy],
            cwd=build.PAGE.parents[3], stdout=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    told = {process.communicate(timeout=120)[0] for process in started}
    assert [process.returncode for process in started] == [0, 0]
    assert told == {f"dist {(copy / 'dist').stat().st_ino}\n"}  # one folder for both
    assert list(copy.glob(".dist.*")) == []
    assert (copy / "dist" / "index.html").is_file()


def test_a_taken_port_is_named(tmp_path):
    serving = server.make_server(tmp_path, 0)
    try:
        with pytest.raises(UserError, match=f"--port={serving.server_port}: cannot"):
            server.make_server(tmp_path, serving.server_port)
    finally:
        serving.server_close()


@pytest.mark.slow
def test_the_command_writes_and_serves_until_ctrl_c(page, models, tmp_path):
    output = tmp_path / "site"
    process = start_command(
        "export.web", f"--artifacts={tmp_path / 'artifacts'}", f"--output={output}",
        "--serve", "--port=0",
    )  # fmt: skip
    try:
        written, serving = process.stdout.readline(), process.stdout.readline()
        assert written.startswith(f"{output}: {INT8}, given_class_int8.tflite")
        address = serving.split()[1]
        wasm = "wasm/litert_wasm_compat_internal.wasm"
        for name, media_type in (
            ("", "text/html"), ("sw.js", "text/javascript"), (wasm, "application/wasm"),
            ("site.json", "application/json"), ("model_card.txt", "text/plain"),
        ):  # fmt: skip
            with urllib.request.urlopen(address + name) as response:
                assert response.headers["Content-Type"].startswith(media_type)
                assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
                embedder = response.headers["Cross-Origin-Embedder-Policy"]
                assert embedder == "require-corp"
        for name, encoding, copy in (
            (wasm, "br", ".br"), (f"models/{INT8}", "gzip", ".gz"), (wasm, None, ""),
        ):  # fmt: skip
            request = urllib.request.Request(address + name)
            request.add_header("Accept-Encoding", "gzip, br" if encoding else "zstd")
            with urllib.request.urlopen(request) as response:
                assert response.headers["Content-Encoding"] == encoding
                media_type = server.TYPES[Path(name).suffix]
                assert response.headers["Content-Type"] == media_type
                assert response.read() == (output / f"{name}{copy}").read_bytes()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{address}models/")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (0, "")
    finally:
        process.kill()
        process.communicate()
    shutil.rmtree(output)
