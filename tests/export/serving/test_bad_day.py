"""500 photos, 16 callers, a server that is overloaded, dropped and silent."""

import json
import time

import pytest

from bas_tf.export.client import connection
from tests.commands import exit_code_in_process
from tests.export.serving import peers

pytestmark = pytest.mark.slow

SILENCE_S = 1.0  # stands for the 20 s of a restart with warm-up
TIMEOUT_S = 3 * SILENCE_S  # as 60 s is to those 20


@pytest.fixture
def relay(peer):
    with peers.Relay(peer) as relay:
        yield relay
        relay.shutdown()


@pytest.fixture
def photos(tmp_path):
    """500 PNGs, all different, and one empty file."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(500):
        content = peers.png((8 + i % 25, 8 + i // 25))
        (folder / f"{i:03}.png").write_bytes(content)
    (folder / "empty.png").write_bytes(b"")
    return folder


def localized(monkeypatch, address, protocol, output, *photos) -> int:
    return exit_code_in_process(
        monkeypatch, "export.serving.client", f"--address={address}",
        f"--protocol={protocol}", f"--output={output}", "--batch_size=1",
        "--concurrency=16", f"--timeout_s={TIMEOUT_S}", "--nooverlays", *photos,
    )  # fmt: skip


def test_a_bad_day_loses_nothing_and_doubles_nothing(
    monkeypatch, peer, relay, photos, tmp_path
):
    peer.most_calls, peer.seconds = 5, 0.005
    peer.at = {
        100: relay.drop,
        200: lambda: relay.fall_silent(SILENCE_S),
        300: relay.drop,
        301: relay.drop,
        400: lambda: [relay.drop(), relay.fall_silent(SILENCE_S)],
    }
    start = time.monotonic()
    code = localized(
        monkeypatch, relay.address, peer.protocol, tmp_path / "out", photos
    )
    seconds = time.monotonic() - start
    lines = (tmp_path / "out" / "results.jsonl").read_bytes().splitlines()
    rows = [json.loads(line) for line in lines]
    errors = {row["file"]: row["error"] for row in rows if "error" in row}
    assert code == 1 and set(errors) == {str(photos / "empty.png")}, errors
    assert len(rows) == len({row["file"] for row in rows}) == 501
    assert len(set(peer.images)) == 500
    assert not peer.locked  # nothing empty was sent
    assert peer.refused and seconds < 20


def test_an_empty_image_is_answered_without_the_server(peer):
    with connection.connect(
        peer.address, protocol=peer.protocol, timeout_s=5
    ) as serving:
        rows = serving.localize([b"", peers.png(), b""])
        of_class = serving.localize_class([b"", peers.png()], [1, 2])
        assert serving.localize([b""])[0].fault
    assert [bool(row.fault) for row in rows] == [True, False, True]
    assert of_class[0].fault and of_class[1].class_ids == (2,)
    assert peer.requests[1]["class_ids"] == [2]
    assert len(peer.requests) == 2 and not peer.locked


def test_a_locked_server_takes_one_wait_not_one_for_each_photo(
    monkeypatch, peer, photos, tmp_path
):
    """At first TIMEOUT_S, then a tenth of it for 16 photos at a time; then it answers.

    So 64 photos take 3 + 3 * 0.3 s, not 4 * 3 s.
    """
    peer.locked = True
    paths = sorted(photos.glob("*.png"))[:64]
    start = time.monotonic()
    args = (monkeypatch, peer.address, peer.protocol, tmp_path / "out", *paths)
    assert localized(*args) == 1
    assert time.monotonic() - start < 2.2 * TIMEOUT_S
    peer.locked = False
    peer.closed.set()  # ends the calls that wait
    assert localized(*args) == 0
    assert len((tmp_path / "out" / "results.jsonl").read_bytes().splitlines()) == 64
