"""Load against peers whose pace and faults are known; figures by hand."""

import json
import signal
import threading
import time

import pytest

from bas_tf.errors import UserError
from bas_tf.export.client import connection
from bas_tf.export.client.photos import Encoded
from benchmarks.serving import load, load_test
from benchmarks.serving.load import Sample
from tests.commands import exit_code_in_process, only_error_line, start_command
from tests.export.serving import peers
from tests.export.serving.peers import PROTOCOLS

COMMAND = "benchmarks.serving.load_test"


@pytest.fixture
def rest():
    with peers.rest_peer() as peer:
        yield peer


def run(peer, *level, seconds, stop=None, timeout_s=5.0, images_per_request=1):
    """A level's load on a peer: its figures, and for how long requests were sent."""
    sent = [Encoded(peers.png(), (40, 20)), Encoded(peers.png((8, 80)), (8, 80))]
    with connection.connect(
        peer.address, protocol=peer.protocol, timeout_s=timeout_s, retries=False
    ) as serving:
        ask = load.asker(serving, sent, images_per_request=images_per_request)
        samples, end = load.run(ask, *level, seconds=seconds, stop=stop or load.Stop())
    return load.figures(samples, begin=0, end=end, images_per_request=1), end


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
    assert load.percentile(range(1, count + 1), percent) == expected


def test_figures_by_hand():
    late = ("deadline", "first")
    samples = [
        Sample(0.5, 1.5, None),  # sent in the warm-up, answered in the time
        Sample(0.9, 1.2, ("unavailable", "no")),  # of the warm-up
        Sample(1.0, 1.25, None),
        Sample(2.0, 7.0, late),
        Sample(1.5, 6.5, ("deadline", "the very first")),
        Sample(4.5, 5.5, None),  # sent in the time, answered after it
        Sample(5.0, 5.1, None),  # sent after it
    ]
    assert load.figures(samples, begin=1, end=5, images_per_request=8) == {
        "seconds": 4,
        "requests": 4,
        "images_per_second": 4.0,  # 2 answers of 8 images in 4 s
        "p50_ms": 250.0,
        "p95_ms": None,
        "p99_ms": None,
        "max_ms": 1000.0,
        "errors": {"deadline": 2},
        "messages": {"deadline": "the very first"},
    }
    none = load.figures([samples[3]], begin=0, end=5, images_per_request=1)
    assert (none["images_per_second"], none["max_ms"]) == (0, None)


def test_arrivals_have_the_rate_and_the_spread_of_a_poisson_process():
    due = load.arrivals(50.0, 20.0)
    assert due == load.arrivals(50.0, 20.0) == sorted(due)
    assert len(due) == 1000 and due[0] >= 0 and due[-1] < 20
    counts = [sum(i <= t < i + 1 for t in due) for i in range(20)]
    variance = sum((count - 50) ** 2 for count in counts) / 20
    assert 20 < variance < 100  # of a Poisson process 50, of even steps 0
    assert len(load.arrivals(0.01, 1.0)) == 1


def row(p99_ms=20.0, errors=()):
    return {"p99_ms": p99_ms, "errors": dict(errors)}


def test_drift_of_a_soak():
    assert load_test.drift([row(10.0), row(90.0), row(20.0)]) == ""
    assert "20.1 ms" in load_test.drift([row(10.0), row(20.1)])
    failed = row(errors={"row": 2, "deadline": 1})
    assert load_test.drift([row(), failed, row()]) == "3 requests failed"
    assert "too few" in load_test.drift([row(), row(None)])
    assert "too few" in load_test.drift([row(None), row()])


# Load on peers ---------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_callers_wait_and_an_open_loop_does_not(protocol):
    with getattr(peers, f"{protocol}_peer")() as peer:
        peer.seconds = 0.1
        one, _ = run(peer, 1, seconds=1)
        four, _ = run(peer, 4, seconds=1)
        assert one["requests"] <= 10 and four["requests"] <= 40
        assert 2 < four["images_per_second"] / one["images_per_second"] < 8
        assert peer.most_at_a_time == 4 and one["p50_ms"] >= 100
        peer.seconds, peer.images = 0.5, []
        opened, _ = run(peer, None, 20, seconds=1)
        assert opened["requests"] == len(peer.images) == 20
        assert peer.most_at_a_time >= 5  # one at a time would be 2 in this second
        assert not (one["errors"] or four["errors"] or opened["errors"])


def test_an_open_loop_counts_from_when_a_request_was_due():
    """Its only caller is busy for 0.3 s: the next request, if any is sent, waited."""
    samples, _ = load.run(
        lambda: time.sleep(0.3), None, 20, seconds=1, stop=load.Stop(), most_callers=1
    )
    assert sorted(sample.sent for sample in samples) == load.arrivals(20, 1)
    kinds = [sample.failure and sample.failure[0] for sample in samples]
    assert set(kinds) == {None, "not_sent"} and kinds.count(None) <= 4


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
def test_rest_failures_by_kind_and_nothing_is_tried_again(rest):
    rest.faults = [
        peers.says(503, {"error": "loading"}), peers.says(503, {"error": "full"}),
        peers.says(400, {"error": "bad"}), peers.says(404, b""), peers.says(200, b"["),
        peers.drops_mid_body, peers.drops_before_answering, status_1, another_size,
        slow,
    ]  # fmt: skip
    found, _ = run(rest, 1, seconds=2.5, timeout_s=0.3)
    assert found["errors"] == {
        "unavailable": 2, "http_400": 1, "http_404": 1, "answer": 1, "connection": 2,
        "row": 2, "deadline": 1,
    }  # fmt: skip
    assert found["messages"]["unavailable"] == "HTTP 503: loading"
    assert len(rest.requests) == found["requests"] > 10


def test_grpc_failures_by_kind():
    pytest.importorskip("tensorflow_serving")
    codes = ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "NOT_FOUND", "NOT_FOUND"]
    with peers.grpc_peer() as peer:
        peer.faults = [peers.aborts(code, "no") for code in codes]
        peer.faults += [lambda *_: time.sleep(0.6)]
        found, _ = run(peer, 1, seconds=1.2, timeout_s=0.4)
    assert found["errors"] == {
        "unavailable": 1, "resource_exhausted": 1, "not_found": 2, "deadline": 1,
    }  # fmt: skip


def test_photos_are_sent_one_after_another(rest):
    run(rest, 1, seconds=0.3, images_per_request=3)
    first, second = peers.png(), peers.png((8, 80))
    assert rest.images[:6] == [first, second, first, second, first, second]
    assert len(rest.images) == 3 * len(rest.requests)


@pytest.mark.parametrize("level", [(2, None), (None, 20)])
def test_stop_ends_a_load_and_keeps_what_was_measured(rest, level):
    stop = load.Stop()
    threading.Timer(0.5, stop).start()
    found, end = run(rest, *level, seconds=60, stop=stop)
    assert 0.4 < end < 30 and found["requests"]


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
    before = signal.getsignal(signal.SIGINT)

    def run(peer, *args):
        code = exit_code_in_process(
            monkeypatch, COMMAND, f"--address={peer.address}", "--protocol=rest",
            f"--output={tmp_path / 'load.json'}", *args,
        )  # fmt: skip
        return code, *capsys.readouterr()

    yield run
    signal.signal(signal.SIGINT, before)


def rows_of(tmp_path):
    return json.loads((tmp_path / "load.json").read_text())["rows"]


def test_rows_of_other_labels_and_loops_are_kept(command, rest, folder, tmp_path):
    short = "--seconds=0.3"
    assert command(rest, "--label=a|b", short, "--concurrency=1,2", folder)[0] == 0
    assert command(rest, "--images_per_request=2", short, "--rate=20", folder)[0] == 0
    assert command(rest, "--label=a|b", short, "--rate=20", folder)[0] == 0
    code, out, _ = command(rest, "--label=a|b", short, "--concurrency=3", folder)
    keys = ("label", "loop", "concurrency", "rate", "images_per_request")
    assert code == 0 and [tuple(r[key] for key in keys) for r in rows_of(tmp_path)] == [
        ("rest", "open", None, 20, 2),
        ("a|b", "open", None, 20, 1),
        ("a|b", "closed", 3, None, 1),
    ]
    lines = out.splitlines()
    assert len(lines) == 2 + 3 and len({line.count(" | ") for line in lines}) == 1
    assert lines[4].startswith(r"| a\|b | 3 callers | ")


@pytest.mark.slow
def test_a_soak_of_a_server_that_grows_slow(command, rest, folder, tmp_path):
    usual = rest.answered

    def slower(images, class_ids):
        time.sleep(len(rest.images) / 20_000)
        return usual(images, class_ids)

    rest.answered = slower
    code, _, err = command(rest, "--soak", "--concurrency=16", "--seconds=3", folder)
    rows = rows_of(tmp_path)
    assert [r["part"] for r in rows] == list(range(1, 11))
    assert code == 1 and err.splitlines()[-1] == f"soak: {load_test.drift(rows)}"


def test_mistakes_exit_2_and_write_nothing(command, rest, folder, tmp_path):
    (folder.parent / "bad.png").write_text("no image")
    for args, said in [
        ([], "no photo or folder given"),
        ([tmp_path / "bad.png"], "bad.png: "),
        (["--concurrency=1,0", folder], "--concurrency: '0'"),
        (["--concurrency=2.5", folder], "--concurrency: '2.5'"),
        (["--concurrency=999", folder], "--concurrency: '999'"),
        (["--rate=", folder], "--rate: ''"),
        (["--rate=nan", folder], "--rate: 'nan'"),
        (["--rate=1", "--concurrency=1", folder], "--concurrency and --rate"),
        (["--soak", folder], "--soak takes one --concurrency"),
        (["--seconds=nan", folder], "--seconds: 'nan'"),
        (["--timeout_s=-1", folder], "--timeout_s: '-1.0'"),
    ]:
        code, _, err = command(rest, *args)
        assert code == 2 and said in only_error_line(err), err
    assert not rest.requests
    rest.faults = [peers.says(404, {"error": "Servable not found"})]
    code, _, err = command(rest, "--model=nope", folder)
    assert code == 2 and "Servable not found" in only_error_line(err)
    assert not (tmp_path / "load.json").exists()


@pytest.mark.parametrize("content", ["", "[]", '{"rows": [{"label": "a"}]}', "{}"])
def test_what_is_no_load_tests_file_stays(command, rest, folder, tmp_path, content):
    (tmp_path / "load.json").write_text(content)
    code, _, err = command(rest, folder)
    assert code == 2 and "load.json" in only_error_line(err)
    assert (tmp_path / "load.json").read_text() == content and not rest.requests


def test_many_photos_are_thinned_evenly_and_none_is_the_output(tmp_path):
    for i in range(600):
        (tmp_path / f"{i:03}.png").write_bytes(peers.png((1, 1 + i)))
    sent = load_test.read_photos([str(tmp_path)], output=tmp_path / "load.json")
    heights = [photo.size_wh[1] for photo in sent]
    assert len(heights) == 256 and heights[0] == 1 and heights[-1] > 595
    assert {b - a for a, b in zip(heights, heights[1:], strict=False)} == {2, 3}
    with pytest.raises(UserError, match="000.png"):
        load_test.read_photos([str(tmp_path)], output=tmp_path / "000.png")


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_measured(rest, folder, tmp_path):
    output = tmp_path / "load.json"
    process = start_command(
        COMMAND, f"--address={rest.address}", "--protocol=rest",
        f"--output={output}", "--soak", "--concurrency=2", "--seconds=20", folder,
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
    assert [r["part"] for r in rows] == [1, 2, 3] and rows[2]["seconds"] < 2
    assert "2 callers, part 3" in out
