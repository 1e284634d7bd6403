"""Load against peers whose pace and faults are known; figures by hand."""

import json
import signal
import threading
import time

import pytest

from bas_tf.errors import UserError
from benchmarks.serving import load, load_report, load_test
from benchmarks.serving.load import Failure, Level, Run, Sample
from export.serving import client
from export.serving.photos import Encoded
from tests.commands import exit_code_in_process, only_error_line, start_command
from tests.export.serving import peers
from tests.export.serving.peers import PROTOCOLS, needs_grpc

COMMAND = "benchmarks.serving.load_test"


@pytest.fixture
def rest():
    with peers.rest_peer() as peer:
        peer.protocol = "rest"
        yield peer


@pytest.fixture(params=PROTOCOLS)
def peer(request):
    with getattr(peers, f"{request.param}_peer")() as peer:
        peer.protocol = request.param
        yield peer


def run(peer, level, *, seconds, timeout_s=5.0, images_per_request=1, **settings):
    """A level's load on a peer; all of its samples."""
    with client.connect(
        peer.address, protocol=peer.protocol, timeout_s=timeout_s, retries=False
    ) as serving:
        asker = load.Asker(
            serving,
            [Encoded(peers.png(), (40, 20)), Encoded(peers.png((8, 80)), (8, 80))],
            images_per_request=images_per_request,
        )
        settings = {"stop": load.Stop()} | settings
        return load.run(asker, level, seconds=seconds, **settings)


def figures_of(measured, images_per_request=1):
    return load_report.figures(
        measured, begin=0, images_per_request=images_per_request
    )  # fmt: skip


# Figures ---------------------------------------------------------------------
@pytest.mark.parametrize(
    "count, percent, expected",
    [
        (100, 50, 50), (100, 95, 95), (100, 99, 99), (101, 99, 100), (200, 99, 198),
        (1000, 99, 990), (99, 99, None), (20, 95, 19), (19, 95, None), (2, 50, 1),
        (3, 50, 2), (1, 50, None), (0, 50, None),
    ],
)  # fmt: skip
def test_percentiles_are_nearest_ranks(count, percent, expected):
    assert load_report.percentile(range(1, count + 1), percent) == expected


def test_figures_by_hand():
    late, refused = Failure("deadline", "first"), Failure("unavailable", "no")
    samples = [
        Sample(0.5, 1.5, None),  # sent in the warm-up, answered in the time
        Sample(0.9, 1.2, refused),  # of the warm-up
        Sample(1.0, 1.25, None),
        Sample(2.0, 7.0, late),
        Sample(1.5, 6.5, Failure("deadline", "the very first")),
        Sample(4.5, 5.5, None),  # sent in the time, answered after it
        Sample(5.0, 5.1, None),  # sent after it
    ]
    found = load_report.figures(
        Run(samples, seconds=5, client_cores=0.25), begin=1, images_per_request=8
    )
    assert found == {
        "seconds": 4,
        "requests": 4,
        "images_per_second": 4.0,  # 2 answers of 8 images in 4 s
        "p50_ms": 250.0,
        "p95_ms": None,
        "p99_ms": None,
        "max_ms": 1000.0,
        "errors": {"deadline": 2},
        "messages": {"deadline": "the very first"},
        "client_cores": 0.25,
    }


def test_figures_without_a_good_answer():
    failed = Sample(0.0, 0.1, Failure("row", "no image"))
    found = figures_of(Run([failed], seconds=1, client_cores=0))
    assert (found["images_per_second"], found["max_ms"], found["p50_ms"]) == (
        0, None, None,
    )  # fmt: skip
    assert found["errors"] == {"row": 1}


def test_arrivals_have_the_rate_and_the_spread_of_a_poisson_process():
    due = load.arrivals(50.0, 20.0)
    assert due == load.arrivals(50.0, 20.0) == sorted(due)
    assert len(due) == 1000 and due[0] >= 0 and due[-1] < 20
    counts = [sum(i <= t < i + 1 for t in due) for i in range(20)]
    variance = sum((count - 50) ** 2 for count in counts) / 20
    assert 20 < variance < 100  # of a Poisson process 50, of even steps 0
    assert len(load.arrivals(0.01, 1.0)) == 1


def row(p99_ms=20.0, **others):
    return {
        "label": "batching off", "loop": "closed", "concurrency": 4, "rate": None,
        "part": None, "images_per_request": 1, "requests": 1234,
        "images_per_second": 61.25, "p50_ms": 10.0, "p95_ms": 15.0, "p99_ms": p99_ms,
        "max_ms": 99.99, "errors": {}, "client_cores": 0.1, **others,
    }  # fmt: skip


def test_drift_of_a_soak():
    assert load_report.drift([row(10.0), row(90.0), row(20.0)]) == ""
    assert load_report.drift([row(10.0), row(20.1)]) == (
        "the last part's p99 is 20.1 ms, the first's was 10.0 ms"
    )
    assert load_report.drift([row(), row(errors={"row": 2, "deadline": 1}), row()]) == (
        "3 requests failed"
    )
    assert "too few" in load_report.drift([row(), row(None)])
    assert "too few" in load_report.drift([row(None), row()])


def test_the_table():
    rows = [
        row(),
        row(None, loop="open", concurrency=None, rate=2.5, label="a|b"),
        row(loop="soak", part=3, errors={"deadline": 3, "row": 1}),
    ]
    lines = load_report.load_table(rows).splitlines()
    assert lines[2:5] == [
        "| batching off | 4 callers | 1 | 1234 | 61.2 | 10.0 | 15.0 | 20.0 | 100.0 "
        "| 0 | 0.10 |",
        r"| a\|b | 2.5 requests/s | 1 | 1234 | 61.2 | 10.0 | 15.0 | - | 100.0 "
        "| 0 | 0.10 |",
        "| batching off | 4 callers, part 3 | 1 | 1234 | 61.2 | 10.0 | 15.0 | 20.0 "
        "| 100.0 | deadline 3, row 1 | 0.10 |",
    ]
    assert lines[5:] == ["", "-: too few answers; p99 takes 100, p95 20"]
    assert len(load_report.load_table(rows[:1]).splitlines()) == 3
    busy = load_report.load_table([row(client_cores=0.9)])
    assert "the load test itself is the limit" in busy
    assert {line.count(" | ") for line in lines[:5]} == {10}


# Load on peers ---------------------------------------------------------------
@pytest.mark.slow
def test_four_callers_get_about_four_times_as_much(peer):
    peer.seconds = 0.1
    one, four = (
        figures_of(run(peer, Level(concurrency=n), seconds=1.2)) for n in (1, 4)
    )
    assert one["requests"] <= 12 and four["requests"] <= 48
    assert 2 < four["images_per_second"] / one["images_per_second"] < 8
    assert peer.most_at_a_time == 4
    assert one["p50_ms"] >= 100 and four["p50_ms"] >= 100
    assert not one["errors"] and not four["errors"]


def one_at_a_time(peer, *, stall_after, seconds):
    """Makes a peer answer one by one, and stall once, with all that wait."""
    lock, usual = threading.Lock(), peer.answered

    def answered(images, class_ids):
        with lock:
            if len(peer.images) == stall_after:
                time.sleep(seconds)
            return usual(images, class_ids)

    peer.answered = answered


@pytest.mark.slow
def test_an_open_loop_shows_a_stall_that_a_closed_one_hides(rest):
    one_at_a_time(rest, stall_after=10, seconds=1)
    closed = figures_of(run(rest, Level(concurrency=1), seconds=2.2))
    assert closed["max_ms"] >= 1000
    assert closed["p99_ms"] < 500  # one of more than a hundred
    rest.images = []
    opened = figures_of(run(rest, Level(rate=100), seconds=1.6))
    assert opened["requests"] == 160 and not opened["errors"]
    # A hundred requests were due while it stalled: the first of them waited 1 s, the
    # middle one half of it.
    assert opened["p99_ms"] > 800 and opened["p50_ms"] > 100


def test_an_open_loop_counts_from_when_a_request_was_due():
    """Its only caller is busy for 0.3 s: the next request, if any is sent, waited."""

    def ask():
        time.sleep(0.3)

    found = load.run(ask, Level(rate=20), seconds=1, stop=load.Stop(), most_callers=1)
    due = load.arrivals(20, 1)
    assert sorted(sample.sent for sample in found.samples) == due
    kinds = [sample.failure and sample.failure.kind for sample in found.samples]
    assert set(kinds) == {None, "not_sent"} and kinds.count(None) <= 4
    assert figures_of(found)["errors"] == {"not_sent": 20 - kinds.count(None)}


@pytest.mark.slow
def test_an_open_loop_sends_whatever_the_server_does(peer):
    peer.seconds = 0.5
    found = figures_of(run(peer, Level(rate=20), seconds=1))
    assert found["requests"] == 20 and not found["errors"]
    assert peer.most_at_a_time >= 5  # one at a time would be 2 in this second
    assert len(peer.images) == 20


def status_1(handler):
    outputs = peers.answer([b"no image"])
    peers.send(handler, 200, json.dumps({"outputs": outputs}).encode())


def another_size(handler):
    outputs = {**peers.answer([peers.png()]), "image_size": [[1, 1]]}
    peers.send(handler, 200, json.dumps({"outputs": outputs}).encode())


def slow(handler):
    time.sleep(0.6)
    handler.close_connection = True


@pytest.mark.slow
def test_rest_failures_by_kind(rest):
    rest.faults = [
        peers.says(503, {"error": "loading"}), peers.says(503, {"error": "full"}),
        peers.says(400, {"error": "bad"}), peers.says(404, b""), peers.says(200, b"["),
        peers.drops_mid_body, peers.drops_before_answering, status_1, another_size,
        slow,
    ]  # fmt: skip
    measured = run(rest, Level(concurrency=1), seconds=2.5, timeout_s=0.3)
    found = figures_of(measured)
    assert found["errors"] == {
        "unavailable": 2, "http_400": 1, "http_404": 1, "answer": 1, "connection": 2,
        "row": 2, "deadline": 1,
    }  # fmt: skip
    assert found["messages"]["unavailable"] == "HTTP 503: loading"
    assert found["messages"]["row"] == "the server cannot decode the image"
    # Each failure is a request of its own: nothing was tried again.
    assert len(rest.requests) == len(measured.samples) == found["requests"]
    assert found["requests"] > 10 and found["images_per_second"] > 0


@needs_grpc
def test_grpc_failures_by_kind():
    import grpc

    def aborts(code):
        return lambda request, context: context.abort(grpc.StatusCode[code], "no")

    with peers.grpc_peer() as peer:
        peer.protocol = "grpc"
        codes = ["UNAVAILABLE", "UNAVAILABLE", "NOT_FOUND", "INVALID_ARGUMENT"]
        peer.faults = [aborts(code) for code in codes]
        peer.faults += [lambda *_: time.sleep(0.6)]
        measured = run(peer, Level(concurrency=1), seconds=1.5, timeout_s=0.4)
        assert figures_of(measured)["errors"] == {
            "unavailable": 2, "not_found": 1, "invalid_argument": 1, "deadline": 1,
        }  # fmt: skip
        assert len(peer.requests) == len(measured.samples) > 5


def test_photos_are_sent_in_turns(rest):
    run(rest, Level(concurrency=1), seconds=0.3, images_per_request=3)
    first, second = peers.png(), peers.png((8, 80))
    assert rest.images[:6] == [first, second, first, second, first, second]
    assert len(rest.images) == 3 * len(rest.requests)


@pytest.mark.parametrize("level", [Level(concurrency=2), Level(rate=20)])
def test_stop_ends_a_load_and_keeps_what_was_measured(rest, level):
    stop = load.Stop()
    threading.Timer(0.5, stop).start()
    measured = run(rest, level, seconds=60, stop=stop)
    assert 0.4 < measured.seconds < 30 and measured.samples


# The command -----------------------------------------------------------------
@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    for i in range(3):
        (root / f"{i}.png").write_bytes(peers.png((41 + i, 30)))
    return root


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Runs the command in this process: its exit code, stdout, stderr."""

    def run(peer, *args):
        code = exit_code_in_process(
            monkeypatch, COMMAND, f"--address={peer.address}",
            f"--protocol={peer.protocol}", f"--output={tmp_path / 'load.json'}", *args,
        )  # fmt: skip
        return code, *capsys.readouterr()

    return run


def rows_of(tmp_path):
    return json.loads((tmp_path / "load.json").read_text())["rows"]


@pytest.mark.slow
def test_labels_stand_beside_each_other_and_are_replaced(
    command, peer, folder, tmp_path
):
    closed = ("--concurrency=1,2", "--seconds=0.5", folder)
    code, out, _ = command(peer, "--label=a", *closed)
    assert code == 0 and len(out.splitlines()) >= 4
    assert command(peer, "--label=b", "--images_per_request=2", *closed)[0] == 0
    code, out, err = command(peer, "--label=a", "--rate=20", "--seconds=0.5", folder)
    assert code == 0 and "20 requests/s: " in err
    code, out, _ = command(peer, "--label=a", *closed[1:], "--concurrency=3")
    rows = rows_of(tmp_path)
    keys = ("label", "loop", "concurrency", "rate", "images_per_request")
    assert [tuple(r[key] for key in keys) for r in rows] == [
        ("b", "closed", 1, None, 2),
        ("b", "closed", 2, None, 2),
        ("a", "open", None, 20, 1),
        ("a", "closed", 3, None, 1),
    ]
    assert [line.split(" | ")[1] for line in out.splitlines()[2:6]] == [
        "1 caller", "2 callers", "20 requests/s", "3 callers",
    ]  # fmt: skip
    assert {r["address"] for r in rows} == {peer.address}
    assert {r["num_photos"] for r in rows} == {3}
    assert not any(r["errors"] for r in rows)
    assert len(set(peer.images)) == 3
    assert all(r["requests"] and 0.45 <= r["seconds"] <= 0.5 for r in rows)


@pytest.mark.slow
def test_a_soak_of_a_server_that_grows_slow(command, rest, folder, tmp_path):
    soak = ("--soak", "--concurrency=16", "--seconds=3", folder)
    usual = rest.answered

    def slower(images, class_ids):
        time.sleep(len(rest.images) / 20_000)
        return usual(images, class_ids)

    rest.answered = slower
    code, _, err = command(rest, *soak)
    rows = rows_of(tmp_path)
    assert [r["part"] for r in rows] == list(range(1, 11))
    assert all(r["loop"] == "soak" and r["seconds"] <= 0.3 for r in rows)
    assert code == 1 and err.splitlines()[-1] == f"soak: {load_report.drift(rows)}"


@pytest.mark.slow
def test_a_soak_with_a_failure(command, rest, folder, tmp_path):
    usual, output = rest.answered, tmp_path / "load.json"

    def answered(images, class_ids):
        if output.is_file() and len(rows_of(tmp_path)) == 2 and not failed:
            failed.append(rest.faults.append(status_1))
        return usual(images, class_ids)

    rest.answered, failed = answered, []
    code, _, err = command(rest, "--soak", "--concurrency=1", "--seconds=1", folder)
    assert code == 1 and err.endswith("soak: 1 requests failed\n")
    assert "  row 1: the server cannot decode the image\n" in err


def test_exit_codes():
    stop, slower = load.Stop(), [row(10.0), row(30.0)]
    load_test.end(slower, soak=False, stop=stop)
    load_test.end([row(), row()], soak=True, stop=stop)
    with pytest.raises(SystemExit, match="^1$"):
        load_test.end(slower, soak=True, stop=stop)
    stop()
    for rows, soak in [(slower, True), ([], True), ([row()], False)]:
        with pytest.raises(SystemExit, match="^130$"):
            load_test.end(rows, soak=soak, stop=stop)


def test_mistakes_exit_2_and_write_nothing(command, rest, folder, tmp_path):
    (folder.parent / "bad.png").write_text("no image")
    (folder.parent / "empty").mkdir()
    for args, told in [
        ([], "no photo or folder given"),
        ([tmp_path / "lost"], "lost: no such file or folder"),
        ([tmp_path / "empty"], "empty: no photo in it"),
        ([tmp_path / "bad.png"], "bad.png: not a readable image"),
        (["--concurrency=1,0", folder], "--concurrency: '0' is no whole number above"),
        (["--concurrency=2.5", folder], "--concurrency: '2.5' is no whole number"),
        (["--concurrency=", folder], "--concurrency: '' is no whole number"),
        (["--concurrency=999", folder], "above 0 and up to 256"),
        (["--rate=", folder], "--rate: '' is no number above 0"),
        (["--rate=0", folder], "--rate: '0' is no number above 0"),
        (["--rate=nan", folder], "--rate: 'nan' is no number above 0"),
        (["--rate=1", "--concurrency=1", folder], "one of them, not both"),
        (["--soak", folder], "--soak takes one --concurrency"),
        (["--soak", "--rate=1", folder], "--soak takes one --concurrency"),
        (["--seconds=nan", folder], "--seconds: 'nan' is no number above 0"),
        (["--timeout_s=-1", folder], "--timeout_s: '-1.0' is no number above 0"),
        (["--images_per_request=0", folder], "images_per_request"),
    ]:
        code, _, err = command(rest, *args)
        assert code == 2 and told in only_error_line(err), err
    rest.address = "localhost"
    code, _, err = command(rest, folder)
    assert code == 2 and "--address=localhost: not HOST:PORT" in only_error_line(err)
    assert not rest.requests and not (tmp_path / "load.json").exists()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nobody_listens(command, rest, folder, tmp_path, protocol):
    rest.address, rest.protocol = "127.0.0.1:1", protocol
    code, _, err = command(rest, folder)
    assert code == 2
    assert "--address=127.0.0.1:1: the first request: " in only_error_line(err)
    assert not (tmp_path / "load.json").exists()


def test_a_server_without_the_model(command, rest, folder, tmp_path):
    rest.faults = [peers.says(404, {"error": "Servable not found: Latest(nope)"})]
    code, _, err = command(rest, "--model=nope", folder)
    told = "the first request: HTTP 404: Servable not found: Latest(nope)"
    assert code == 2 and told in only_error_line(err)
    assert rest.requests[0]["path"] == "/v1/models/nope:predict"
    assert not (tmp_path / "load.json").exists()


@pytest.mark.parametrize("content", ["", "[]", '{"rows": [{"label": "a"}]}', "{}"])
def test_what_is_no_load_tests_file_stays(command, rest, folder, tmp_path, content):
    (tmp_path / "load.json").write_text(content)
    code, _, err = command(rest, folder)
    assert code == 2 and "no load test's file" in only_error_line(err)
    assert (tmp_path / "load.json").read_text() == content and not rest.requests


def test_many_photos_are_thinned_evenly(tmp_path):
    for i in range(600):
        (tmp_path / f"{i:03}.png").write_bytes(peers.png((1, 1 + i)))
    sent = load_test.read_photos([str(tmp_path)], output=tmp_path / "load.json")
    heights = [photo.size_wh[1] for photo in sent]
    assert len(heights) == 256 and heights[0] == 1 and heights[-1] > 595
    assert {b - a for a, b in zip(heights, heights[1:], strict=False)} == {2, 3}
    with pytest.raises(UserError, match="no photo or folder"):
        load_test.read_photos([], output=tmp_path)


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_measured(rest, folder, tmp_path):
    output = tmp_path / "load.json"
    process = start_command(
        COMMAND, f"--address={rest.address}", "--protocol=rest",
        f"--output={output}", "--soak", "--concurrency=2", "--seconds=10", folder,
    )  # fmt: skip
    end = time.monotonic() + 60
    while not (output.is_file() and len(rows_of(tmp_path)) == 2):
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130 and "Traceback" not in err
    rows = rows_of(tmp_path)
    assert [r["part"] for r in rows] == [1, 2, 3] and rows[2]["seconds"] < 1
    assert "2 callers, part 3" in out
