"""Batches through tf.data service: the same, whatever happens to those who read them.

Data workers are processes of the command, reached over loopback.
"""

import contextlib
import json
import signal
import socket
import time

import numpy as np
import pytest

from bas_tf import experiment, names, run_training
from bas_tf.data import batch_service, pipeline
from bas_tf.errors import DataError, UserError
from configs import demo
from tests.commands import run_command, start_command

# ml_collections 1.1.0 loads config files by a deprecated call.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning"),
]
QUICK = "--config=configs/demo.py:quicktest"
BATCH = {"crop_size_wh": (64, 64), "batch_size": 4, "seed": 3}  # 96 / 4 = 24 batches


@contextlib.contextmanager
def data_service(*args):
    """A process of the command that serves; yields it and the address it told."""
    process = start_command("bas_tf.data_service", *args)
    try:
        line = process.stdout.readline()
        assert "--config.data.service=" in line, process.stderr.read()
        yield process, line.strip().partition("--config.data.service=")[2]
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def address():
    """Of a dispatcher with two data workers that serve the quick demo's drawings."""
    with (
        data_service(QUICK) as (_, address),
        data_service(QUICK, f"--dispatcher={address}"),
    ):
        yield address


def drawings(**data):
    config = demo.get_config("quicktest")
    config.data.update(data)
    return pipeline.TrainingImages(
        experiment.open_source(config).records("train"),
        resize_size_wh=(72, 72),
        keep=config.data.cache,
    )


@pytest.fixture(scope="module")
def images():
    return drawings()


def arrays(batches, each=lambda number: None):
    """Every batch as arrays; `each` is called with the number of those there are."""
    found = []
    for batch in batches:
        found.append({key: value.numpy() for key, value in batch.items()})
        each(len(found))
    return found


def assert_same(batches, others):
    assert len(batches) == len(others)
    for batch, other in zip(batches, others, strict=True):
        assert batch.keys() == other.keys()
        for key in batch:
            assert batch[key].dtype == other[key].dtype
            np.testing.assert_array_equal(batch[key], other[key])


@pytest.mark.parametrize(
    "which",
    [
        {"epoch": 0},
        {"epoch": 2, "first_batch": 5},
        {"epoch": 1, "worker": (0, 2)},
        {"epoch": 1, "worker": (1, 2), "first_batch": 23},
        {"epoch": 1, "first_batch": 24},
    ],
)
def test_two_data_workers_give_the_local_batches_in_order(
    address, images, caplog, which
):
    served = batch_service.ServiceBatches(images, address)
    batches = arrays(served.train_batches(**BATCH, **which))
    assert_same(batches, arrays(pipeline.train_batches(images, **BATCH, **which)))
    assert not caplog.records


def test_an_epoch_may_be_left_before_its_end(address, images):
    served = batch_service.ServiceBatches(images, address)
    iterator = iter(served.train_batches(**BATCH, epoch=0))
    first = next(iterator)[names.IMAGES].numpy()
    started = time.monotonic()
    del iterator
    assert time.monotonic() - started < 5
    whole = arrays(served.train_batches(**BATCH, epoch=0))
    np.testing.assert_array_equal(first, whole[0][names.IMAGES])


def test_a_killed_data_worker_costs_no_batch(address, images, caplog):
    """Nor time, or little: its batches are read here, once 32 others wait for them.

    Where it had none yet when it was killed, nothing is told: then once more.
    """
    for epoch in (1, 3, 5):
        batch = {**BATCH, "batch_size": 1, "epoch": epoch}  # 96 batches
        served = batch_service.ServiceBatches(images, address)
        started = time.monotonic()
        with data_service(QUICK, f"--dispatcher={address}") as (process, _):
            batches = arrays(
                served.train_batches(**batch),
                lambda number, process=process: (
                    process.kill() if number == 20 else None
                ),
            )
        assert time.monotonic() - started < 60
        assert_same(batches, arrays(pipeline.train_batches(images, **batch)))
        if caplog.messages:
            break
    assert 1 <= len(caplog.messages) <= 2
    assert f"data.service is '{address}': batch " in caplog.messages[0]
    assert "read here" in caplog.messages[0]
    caplog.clear()
    assert_same(
        arrays(served.train_batches(**{**batch, "epoch": 2})),
        arrays(pipeline.train_batches(images, **{**batch, "epoch": 2})),
    )


def test_a_killed_dispatcher_costs_no_batch(images, caplog, monkeypatch):
    monkeypatch.setattr(batch_service, "PATIENCE_S", 3)
    with (
        data_service(QUICK) as (process, address),
        data_service(QUICK, f"--dispatcher={address}") as (orphan, _),
    ):
        served = batch_service.ServiceBatches(images, address)
        batches = arrays(
            served.train_batches(**BATCH, epoch=1),
            lambda number: process.kill() if number == 4 else None,
        )
        orphan.send_signal(signal.SIGTERM)
        assert orphan.wait(timeout=10) == 0
    assert_same(batches, arrays(pipeline.train_batches(images, **BATCH, epoch=1)))
    assert "the rest of epoch 1 is read here" in caplog.messages[-1]
    caplog.clear()
    batches = arrays(served.train_batches(**BATCH, epoch=2))  # it stays away
    assert_same(batches, arrays(pipeline.train_batches(images, **BATCH, epoch=2)))
    assert caplog.messages == [
        f"data.service is '{address}': no answer within 3 s; "
        "the rest of epoch 2 is read here"
    ]


def test_a_training_through_the_service_has_the_same_figures(address, tmp_path):
    logs = {}
    for service in ("", address):
        config = demo.get_config("quicktest")
        config.data.service = service
        workdir = tmp_path / ("served" if service else "local")
        run_training.run_training(config, workdir)
        lines = (workdir / experiment.LOG_FILE).read_text().splitlines()
        logs[service] = [json.loads(line) for line in lines]
    assert len(logs[""]) == 12  # 2 x 96 / 16
    for row, other in zip(logs[address], logs[""], strict=True):
        assert row.keys() == other.keys()
        for key in row:
            np.testing.assert_allclose(row[key], other[key], rtol=1e-4, err_msg=key)


@pytest.mark.parametrize(
    "data",
    [
        {"seed": 1},
        {"num_images": {"train": 95}},
        {"image_size": (144, 144)},
        {"cache": False},
    ],
)
def test_other_images_are_refused(address, images, data):
    others = drawings(**data)
    served = batch_service.ServiceBatches(others, address)
    with pytest.raises(DataError) as raised, pipeline.reading(others):
        arrays(served.train_batches(**BATCH, epoch=0))
    assert str(raised.value) == (
        f"data.service has {images.fingerprint()}, the training has "
        f"{others.fingerprint()}: give both the same files and config.data"
    )


def test_an_unreadable_photo_is_named_as_it_is_locally(photo_folder):
    photo = photo_folder / "train" / "cat" / "1.jpg"
    photo.write_bytes(photo.read_bytes()[:700])
    config = demo.get_config("quicktest")
    config.data.source, config.data.root = "folder", str(photo_folder)
    batch = {"crop_size_wh": (64, 64), "batch_size": 6, "seed": 0, "epoch": 0}
    told = []
    with data_service(
        QUICK, "--config.data.source=folder", f"--config.data.root={photo_folder}"
    ) as (_, address):
        for service in (None, address):
            images = run_training._open_images(config, experiment.open_source(config))
            batches = pipeline.train_batches(images, **batch)
            if service:
                served = batch_service.ServiceBatches(images, service)
                batches = served.train_batches(**batch)
            with pytest.raises(DataError) as raised, pipeline.reading(images):
                arrays(batches)
            told.append(str(raised.value))
    assert told[0].startswith(f"{photo}: not a readable image")
    assert told[0] == told[1]


@pytest.mark.parametrize("listens", [False, True])
def test_no_dispatcher_there(monkeypatch, listens):
    """Nobody, or somebody who does not answer."""
    images = drawings()
    monkeypatch.setattr(batch_service, "PATIENCE_S", 3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"grpc://127.0.0.1:{server.getsockname()[1]}"
        if not listens:
            server.close()
        served = batch_service.ServiceBatches(images, address)
        started = time.monotonic()
        with (
            pytest.raises(DataError, match=f"data.service is '{address}': no batch"),
            pipeline.reading(images),
        ):
            arrays(served.train_batches(**BATCH, epoch=0))
    assert time.monotonic() - started < 8


@pytest.mark.parametrize(
    "address", ["localhost:5050", "grpc://localhost", "grpc://:1", "http://a:1"]
)
def test_an_address_that_is_none(images, address):
    with pytest.raises(UserError, match=f"data.service is '{address}'; expected"):
        batch_service.ServiceBatches(images, address)


def test_the_command_ends_by_sigterm_and_refuses_a_taken_port():
    with data_service(QUICK) as (process, address):
        port = address.rpartition(":")[2]
        done = run_command("bas_tf.data_service", QUICK, f"--port={port}")
        assert done.returncode == 2
        assert f"error: --port={port}: cannot listen on it" in done.stderr
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out, err) == (0, "", "")


def arriving(*numbers):
    """These, each with its text, and nothing more for good."""
    for number in numbers:
        yield None if number is None else (number, str(number))
    while True:
        time.sleep(0.01)
        yield None


def test_order_is_restored():
    arrivals = arriving(2, None, 1, 4, 3)
    found = list(batch_service.in_order(arrivals, range(1, 5)))
    assert found == [(1, "1"), (2, "2"), (3, "3"), (4, "4")]


def test_few_wait_for_a_lost_one_which_comes_too_late(monkeypatch):
    monkeypatch.setattr(batch_service, "MOST_EARLY", 2)
    arrivals = arriving(1, 2, 0, 3, 5, 4)
    found = list(batch_service.in_order(arrivals, range(6)))
    assert found == [(0, None), *((n, str(n)) for n in range(1, 6))]


def test_waiting_ends(monkeypatch):
    monkeypatch.setattr(batch_service, "PATIENCE_S", 0.1)
    found = list(batch_service.in_order(arriving(0, 2), range(4)))
    assert found == [(0, "0")]
