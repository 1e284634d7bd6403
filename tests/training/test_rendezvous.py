"""Workers meet over real sockets, or say who is missing."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from bas_tf.errors import UserError
from bas_tf.training import rendezvous, workers

pytestmark = pytest.mark.slow


@pytest.fixture
def addresses():
    return [f"127.0.0.1:{port}" for port in workers.free_ports(3)]


def place_of(address):
    host, port = address.split(":")
    return host, int(port)


def meet(addresses, index, timeout_s=20.0):
    rendezvous.meet(addresses, index, timeout_s=timeout_s)
    return time.monotonic()


def test_nobody_goes_on_before_the_last_has_come(addresses):
    with ThreadPoolExecutor() as pool:
        early = [pool.submit(meet, addresses, i) for i in (2, 0)]
        time.sleep(1)
        assert not any(task.done() for task in early)
        came = time.monotonic()
        last = pool.submit(meet, addresses, 1)
        assert all(task.result() >= came for task in (*early, last))
    socket.create_server(place_of(addresses[0])).close()  # free again


def test_strangers_do_not_count(addresses, monkeypatch):
    """One says what is no number, one nothing at all, one hangs up."""
    monkeypatch.setattr(rendezvous, "_SPEAK_S", 1)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(meet, addresses, 0)
        place = place_of(addresses[0])
        time.sleep(0.3)
        talker = socket.create_connection(place)
        talker.sendall(b"GET / HTTP/1.1\r\n\r\n")
        silent = socket.create_connection(place)
        socket.create_connection(place).close()
        others = [pool.submit(meet, addresses, i) for i in (1, 2)]
        assert first.result() and all(task.result() for task in others)
        talker.close()
        silent.close()


def test_a_worker_that_is_gone_again_has_not_come(addresses):
    """It reports, and dies before the last one comes; started anew, it counts."""
    with ThreadPoolExecutor() as pool:
        first = pool.submit(meet, addresses, 0)
        place = place_of(addresses[0])
        time.sleep(0.3)
        with socket.create_connection(place) as dying:
            dying.sendall(b"1\n")
            time.sleep(0.3)
        last = pool.submit(meet, addresses, 2)
        time.sleep(2)
        assert not first.done() and not last.done()
        again = pool.submit(meet, addresses, 1)
        assert all(task.result() for task in (first, last, again))


def test_those_who_do_not_come_are_named(addresses):
    with ThreadPoolExecutor() as pool:
        pool.submit(lambda: pytest.raises(UserError, meet, addresses, 2, 4.0))
        with pytest.raises(UserError) as caught:
            meet(addresses, 0, timeout_s=2.0)
    assert str(caught.value) == (
        f"TF_CONFIG: worker 1 ({addresses[1]}) did not come within 2 s; start every "
        f"worker, where it can reach {addresses[0]}"
    )


def test_a_first_worker_that_does_not_come_is_named(addresses):
    with pytest.raises(UserError, match="worker 1 was not told to start by worker 0 at "
                       f"{addresses[0]} within 1 s .Connection refused"):  # fmt: skip
        meet(addresses, 1, timeout_s=1.0)


def test_a_first_worker_that_gives_up_is_not_a_start(addresses):
    """It hangs up without a word; who waits for it goes on waiting."""
    with ThreadPoolExecutor() as pool:
        second = pool.submit(meet, addresses, 1, 2.5)
        with pytest.raises(UserError, match="worker 2 "):
            meet(addresses, 0, timeout_s=1.0)
        with pytest.raises(UserError, match="worker 1 was not told to start"):
            second.result()


def test_a_worker_that_comes_back_later_goes_on_to_tensorflow(addresses):
    """A server of another protocol answers there."""
    server = socket.create_server(place_of(addresses[0]))

    def answer():
        client, _ = server.accept()
        client.sendall(b"\x00\x00\x12")
        client.close()

    threading.Thread(target=answer, daemon=True).start()
    assert meet(addresses, 1)
    server.close()


def test_a_port_in_use_is_told(addresses):
    place = place_of(addresses[0])
    with (
        socket.create_server(place),
        pytest.raises(UserError, match=f"port {place[1]} of .* cannot be opened here"),
    ):
        meet(addresses, 0)


def test_one_worker_alone_waits_for_nobody(addresses):
    meet(addresses[:1], 0)
