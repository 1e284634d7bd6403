"""The command: folders in, results.jsonl and overlays out, however it ends."""

import collections
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import time

import numpy as np
import pytest
from PIL import Image

from tests.commands import (
    REPO,
    exit_code_in_process,
    only_error_line,
    run_command,
    start_command,
)
from tests.export.serving import peers
from tests.export.serving.peers import PROTOCOLS

COMMAND = "export.serving.client"


@pytest.fixture
def peer(rest):
    return rest


@pytest.fixture
def folder(tmp_path):
    """Twenty PNGs in two folders, each with another width, 41 to 60 pixels."""
    root = tmp_path / "photos"
    for i in range(20):
        path = root / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(peers.png((41 + i, 30), (10 * i, 100, 0)))
    return root


@pytest.fixture
def client(monkeypatch, capsys, tmp_path, peer):
    """Runs the command over REST in this process: its exit code, stdout, stderr."""

    def run(*args, address=peer.address, output=tmp_path / "out"):
        code = exit_code_in_process(
            monkeypatch, COMMAND, f"--address={address}", "--protocol=rest",
            f"--output={output}", *args,
        )  # fmt: skip
        return code, *capsys.readouterr()

    return run


def rows_of(output):
    lines = (output / "results.jsonl").read_text().split("\n")[:-1]
    return [json.loads(line) for line in lines]


def size_of(path):
    with Image.open(path) as image:
        return image.size


def assert_each_photo_has_one_result(folder, output):
    rows = rows_of(output)
    files = [row["file"] for row in rows]
    assert sorted(files) == sorted(str(path) for path in folder.rglob("*.png"))
    for row in rows:
        width, height = size_of(row["file"])
        assert (row["width"], row["height"]) == (width, height)
        box = [width / 4, height / 4, width / 2, height / 2]
        np.testing.assert_allclose(row["box"], box, atol=0.01)
        assert size_of(output / row["overlay"]) == (width, height)
    assert len({row["overlay"] for row in rows}) == len(rows)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_folder_in_a_process_of_its_own(folder, tmp_path, protocol):
    output = tmp_path / "out"
    with getattr(peers, f"{protocol}_peer")() as peer:
        peer.seconds = 0.1
        done = run_command(
            COMMAND, f"--address={peer.address}", f"--protocol={protocol}",
            "--batch_size=3", "--concurrency=2", f"--output={output}", folder,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert peer.most_at_a_time == 2 and len(peer.requests) == 7
    assert_each_photo_has_one_result(folder, output)
    assert done.stdout == f"{output}/results.jsonl: 20 photos, 0 failed\n"
    assert done.stderr == ""


def test_what_a_line_holds(client, folder, tmp_path):
    assert client(folder / "a" / "0.png", folder / "b")[0] == 0
    row = next(r for r in rows_of(tmp_path / "out") if r["file"].endswith("a/0.png"))
    assert row == {
        "file": str(folder / "a" / "0.png"),
        "class_id": 1,
        "class_name": "green",
        "score": 1.0,
        "top": [
            {"class_id": 1, "class_name": "green", "score": 1.0},
            {"class_id": 0, "class_name": "red", "score": 0.0},
            {"class_id": 2, "class_name": "blue", "score": 0.0},
        ],
        "box": [10.25, 7.5, 20.5, 15.0],
        "degenerate": False,
        "confidence": 0.75,
        "found": True,
        "width": 41,
        "height": 30,
        "overlay": "overlays/0_localized.png",
    }


def test_a_given_class_without_overlays(client, folder, tmp_path, peer):
    assert client("--class_id=2", "--nooverlays", folder)[0] == 0
    row = rows_of(tmp_path / "out")[0]
    assert (row["class_id"], row["class_name"], row["top"]) == (2, None, [])
    assert row["overlay"] is None and not (tmp_path / "out" / "overlays").exists()
    assert {r["signature"] for r in peer.requests} == {"localize_class"}
    code, _, err = client("--class_id=1", folder)
    assert code == 2 and '"--class_id": 2' in only_error_line(err)


def test_failures_name_file_and_message_and_are_tried_again(
    client, folder, tmp_path, peer
):
    peer.faults = [peers.says(400, {"error": "out of\nmemory"})]
    (folder / "a" / "bad.png").write_text("no image")
    code, out, err = client("--batch_size=10", "--concurrency=1", folder)
    assert code == 1 and out.endswith("21 photos, 11 failed\n")
    rows = {row["file"]: row for row in rows_of(tmp_path / "out")}
    assert len(rows) == 21
    failed = [file for file, row in rows.items() if "error" in row]
    lines = [f"error: {file}: {rows[file]['error']}" for file in failed]
    assert sorted(err.splitlines()) == sorted(lines)
    assert rows[str(folder / "a" / "0.png")]["error"] == "HTTP 400: out of memory"
    before = len(peer.images)
    (folder / "a" / "bad.png").write_bytes(peers.png())
    assert client(folder)[0] == 0
    assert len(peer.images) - before == 11  # the others are not sent again
    assert_each_photo_has_one_result(folder, tmp_path / "out")
    requests = len(peer.requests)
    assert client(folder)[0] == 0
    assert len(peer.requests) == requests


def test_a_row_that_the_server_cannot_read_or_saw_otherwise(
    client, folder, tmp_path, peer
):
    files = sorted(str(path) for path in (folder / "a").iterdir())[:8]
    outputs = peers.answer([peers.png(size_of(file)) for file in files])
    outputs["status"][3] = 1
    outputs["image_size"][4] = [30, 49]  # as if it had turned the photo
    peer.faults = [peers.says(200, {"outputs": outputs})]
    assert client("--concurrency=1", *files)[0] == 1
    errors = {r["file"]: r["error"] for r in rows_of(tmp_path / "out") if "error" in r}
    assert set(errors) == {files[3], files[4]}
    assert "30 x 49" in errors[files[4]]


def test_photos_of_one_name_keep_their_overlays(client, folder, tmp_path):
    for name in ("c/x.png", "d/x.png", "d/x.bmp"):
        (folder / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (40, 20), "red").save(folder / name)
    assert client(folder / "c")[0] == 0
    assert client(folder / "c" / "x.png", folder / "d")[0] == 0
    names = {row["overlay"] for row in rows_of(tmp_path / "out")}
    assert names == {f"overlays/x_localized{n}.png" for n in ("", "_2", "_3")}


def test_the_photos_own_folder_is_an_output_that_changes_no_photo(client, folder):
    before = {path: path.read_bytes() for path in folder.rglob("*.png")}
    for _ in range(2):  # the second time, overlays lie in it, which are no photos
        assert client(folder, output=folder)[0] == 0
    assert {row["file"] for row in rows_of(folder)} == set(map(str, before))
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    "name", ["results.jsonl", "request.json", "overlays/0_localized.png"]
)
def test_an_output_that_is_a_photo_is_refused(client, folder, tmp_path, peer, name):
    photo = tmp_path / "out" / name
    photo.parent.mkdir(parents=True)
    photo.write_bytes(peers.png())
    code, _, err = client(folder / "a" / "0.png", photo)
    assert code == 2 and f"out/{name}: " in only_error_line(err)
    assert photo.read_bytes() == peers.png() and not peer.requests


def test_mistakes_exit_2_and_ask_nothing(client, folder, tmp_path, peer):
    for args, told in [
        ([], "no photo or folder given"),
        ([tmp_path / "lost"], f"{tmp_path}/lost: "),
        (["--version=1", "--version_label=a", folder], "--version and --version_label"),
        (["--batch_size=0", folder], "batch_size"),
    ]:
        code, _, err = client(*args)
        assert code == 2 and told in only_error_line(err)
    code, _, err = client(folder, address="localhost")
    assert code == 2 and "--address=localhost: " in only_error_line(err)
    assert not peer.requests and not (tmp_path / "out").exists()


def started(peer, folder, output):
    return start_command(
        COMMAND, f"--address={peer.address}", "--protocol=rest", "--batch_size=2",
        "--concurrency=2", f"--output={output}", folder,
    )  # fmt: skip


def wait_for_lines(output, count):
    path, end = output / "results.jsonl", time.monotonic() + 60
    while not path.is_file() or path.read_bytes().count(b"\n") < count:
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.slow
def test_killed_again_and_again_it_loses_and_doubles_nothing(
    client, folder, tmp_path, peer
):
    output = tmp_path / "out"
    peer.seconds = 0.3
    for lines in (3, 9):
        process = started(peer, folder, output)
        wait_for_lines(output, lines)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert lines <= len(rows_of(output)) < 20
    with open(output / "results.jsonl", "a") as file:
        file.write('{"file": "/torn')
    with_results = {row["file"] for row in rows_of(output)}
    time.sleep(1)  # the killed run's last requests end
    sent_before = len(peer.images)
    assert client(folder)[0] == 0
    assert_each_photo_has_one_result(folder, output)
    assert len(peer.images) - sent_before == 20 - len(with_results)
    assert len(collections.Counter(peer.images)) == 20


@pytest.mark.slow
def test_ctrl_c_ends_soon_and_leaves_whole_lines(client, folder, tmp_path, peer):
    output = tmp_path / "out"
    peer.seconds = 0.3
    process = started(peer, folder, output)
    wait_for_lines(output, 4)
    peer.seconds = 50
    time.sleep(0.5)  # the requests that are under way now take 50 s
    process.send_signal(signal.SIGINT)
    start = time.monotonic()
    _, err = process.communicate()
    assert time.monotonic() - start < 20
    assert process.returncode == 130 and "Traceback" not in err
    assert 4 <= len(rows_of(output)) < 20
    peer.seconds = 0
    assert client(folder)[0] == 0
    assert_each_photo_has_one_result(folder, output)


@pytest.mark.slow
def test_a_terminal_shows_a_bar_that_goes_on_where_it_stopped(client, folder, peer):
    client(folder / "a", "--nooverlays")
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    output = folder.parent / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", COMMAND, f"--address={peer.address}",
         "--protocol=rest", f"--output={output}", str(folder)],
        cwd=REPO, stdout=subprocess.DEVNULL, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    shown = b""
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:  # the other side is closed
            break
        shown += part
    os.close(master)
    assert process.wait() == 0
    assert b"10/20" in shown and b"20/20" in shown
