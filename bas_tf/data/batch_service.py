"""Training batches through TensorFlow's tf.data service, the same as without it.

Data workers read batches, whichever is next, and hand them over as they are ready; the
trainer puts them back in order. A batch that is lost with a data worker is read here,
from the trainer's own images: TensorFlow itself would wait for it forever.
"""

import functools
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from bas_tf import names
from bas_tf.data import batch_op, pipeline
from bas_tf.data.batch_op import Request
from bas_tf.data.preprocess import Size
from bas_tf.data.records import DataError
from bas_tf.errors import UserError, one_line

PATIENCE_S = 25  # for a dispatcher to answer, and for a batch to come
TICK_S = 0.1  # an epoch's end waits for one tick
BATCHES_AT_A_TIME = 2  # of a data worker: one is read while another is sent
MOST_EARLY = 32  # batches that wait for an earlier one before that is read here
PROTOCOL = "grpc://"

service = tf.data.experimental.service


class ServiceBatches:
    """Stands in for `pipeline.train_batches`; every epoch is a job of its own.

    Args:
      images: the training split, as the data workers have it too.
      address: of the dispatcher, as grpc://HOST:PORT.

    Raises:
      UserError: not such an address.
    """

    def __init__(self, images: pipeline.TrainingImages, address: str):
        check_address("data.service", address)
        self._images, self._address = images, address
        self._reader = batch_op.BatchReader(images)
        self._has_answered = False  # any batch has come in this training

    def train_batches(
        self,
        *,
        crop_size_wh: Size,
        batch_size: int,
        seed: int,
        epoch: int,
        first_batch: int = 0,
        worker: tuple[int, int] = (0, 1),
    ) -> tf.data.Dataset:
        """As `pipeline.train_batches`, to the bit.

        While it is read `pipeline.reading` has a DataError for a bad file, data workers
        that read other images, and, if no batch has come before, no service.
        """
        request = Request(*crop_size_wh, batch_size, seed, epoch, *worker)
        positions = self._reader.positions(request)
        numbers = range(first_batch, len(positions))

        def batches() -> Iterator[dict[str, np.ndarray]]:
            crops = self._crops(request, numbers)
            for number, batch in zip(numbers, crops, strict=True):
                labels = self._images.labels[positions[number]]
                yield {names.IMAGES: batch, names.LABELS: labels}

        share, (width, height) = positions.shape[1], crop_size_wh
        return tf.data.Dataset.from_generator(
            batches,
            output_signature={
                names.IMAGES: tf.TensorSpec([share, height, width, 3], tf.uint8),
                names.LABELS: tf.TensorSpec([share], tf.int32),
            },
        ).prefetch(2)

    def _crops(self, request: Request, numbers: range) -> Iterator[np.ndarray]:
        """The images of these batches, from the service as long as it gives any."""
        done = 0
        with self._images.remembering_errors():
            try:
                for crops in self._served(request, numbers):
                    yield crops
                    done += 1
                reason = f"batch {numbers.start + done} did not come in {PATIENCE_S} s"
            except (tf.errors.OpError, TimeoutError) as error:
                reason = one_line(error)[:300]
            left = numbers[done:]
            if not left:
                return
            if not self._has_answered:
                raise DataError(
                    f"data.service is {self._address!r}: no batch came from it "
                    f"({reason}); start python -m bas_tf.data_service there, or leave "
                    "data.service empty"
                )
            self._warn(f"{reason}; the rest of epoch {request.epoch} is read here")
            for number in left:
                yield self._reader.read(request._replace(number=number))

    def _served(self, request: Request, numbers: range) -> Iterator[np.ndarray]:
        """Batches in order, to the first that does not come.

        Raises:
          DataError: the mistake that a data worker tells.
          TimeoutError, tf.errors.OpError: there is no service.
        """
        dataset = self._dataset(request, numbers)
        warned = False
        for number, arrival in in_order(_arrivals(dataset), numbers):
            if arrival is not None:
                crops, mistake = arrival
                if mistake:
                    raise DataError(mistake)
            else:
                if not warned:
                    self._warn(
                        f"batch {number} of epoch {request.epoch} is lost or "
                        "late; it and others like it are read here"
                    )
                warned = True
                crops = self._reader.read(request._replace(number=number))
            self._has_answered = True
            yield crops

    def _warn(self, what: str) -> None:
        logging.warning("data.service is %r: %s", self._address, what)

    def _dataset(self, request: Request, numbers: range) -> tf.data.Dataset:
        """(number, images, mistake) of these batches, as they come."""
        fingerprint = self._reader.fingerprint

        def read(number: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return number, *batch_op.batch_op(request, number, fingerprint)

        options = tf.data.Options()
        options.autotune.enabled = False  # nothing is tuned
        options.experimental_external_state_policy = (
            tf.data.experimental.ExternalStatePolicy.IGNORE  # a batch depends on none
        )
        dataset = tf.data.Dataset.range(numbers.start, numbers.stop)
        dataset = dataset.map(
            read, num_parallel_calls=BATCHES_AT_A_TIME, deterministic=False
        )
        return _within(
            PATIENCE_S,
            functools.partial(
                dataset.with_options(options).apply,
                service.distribute(
                    processing_mode=service.ShardingPolicy.DYNAMIC,
                    service=self._address,
                    compression=None,  # photos hardly shrink
                ),
            ),
        )


def in_order(
    arrivals: Iterable[tuple[int, Any] | None], numbers: range
) -> Iterator[tuple[int, Any | None]]:
    """What arrives in any order, in the order of `numbers`; ends when patience does.

    Args:
      arrivals: (number, content), or None now and then while nothing arrives.
      numbers: consecutive, each expected once.

    Yields:
      (number, content), or (number, None) once MOST_EARLY later ones are there; that
      one is passed over if it still comes. Ends before a number that is not there
      PATIENCE_S after it was asked for.
    """
    arrivals, early = iter(arrivals), {}
    for number in numbers:
        deadline = time.monotonic() + PATIENCE_S
        while number not in early and len(early) < MOST_EARLY:
            arrival = next(arrivals)
            if arrival is not None and arrival[0] >= number:
                early[arrival[0]] = arrival[1]
            elif time.monotonic() > deadline:
                return
        yield number, early.pop(number, None)


def _arrivals(
    dataset: tf.data.Dataset,
) -> Iterator[tuple[int, tuple[np.ndarray, str]] | None]:
    """(number, (images, mistake)) as it comes, None after TICK_S without any.

    An iterator of the service alone could block forever, and not be given up. This is
    one of two datasets, the service and a clock, whichever has an element.
    """

    def tick(_: tf.Tensor) -> tuple[tf.Tensor, ...]:
        number = tf.numpy_function(_sleep, [], tf.int64)
        nothing = tf.zeros([0, 0, 0, 3], tf.uint8)
        return tf.ensure_shape(number, []), nothing, tf.constant("")

    clock = tf.data.Dataset.range(1).repeat().map(tick)
    either = tf.data.Dataset.from_tensors(dataset)
    either = either.concatenate(tf.data.Dataset.from_tensors(clock)).interleave(
        lambda each: each, cycle_length=2, num_parallel_calls=2, deterministic=False
    )
    options = tf.data.Options()
    options.autotune.enabled = False
    options.threading.private_threadpool_size = 2  # one thread may be asleep
    for number, crops, mistake in either.with_options(options):
        if number >= 0:
            yield int(number), (crops.numpy(), mistake.numpy().decode())
        else:
            yield None


def _sleep() -> np.int64:
    time.sleep(TICK_S)
    return np.int64(-1)


def _within(seconds: float, call: Callable[[], Any]) -> Any:
    """The call's result; its thread is left behind when it takes too long.

    TensorFlow asks an address where nobody answers for an hour.

    Raises:
      TimeoutError: it took longer.
      Whatever the call raises.
    """
    results, errors = [], []

    def run() -> None:
        try:
            results.append(call())
        except Exception as error:  # noqa: BLE001  raised again below
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"no answer within {seconds} s")
    return results[0]


def check_address(key: str, address: str) -> None:
    """Raises UserError when it is not grpc://HOST:PORT."""
    host, _, port = address.removeprefix(PROTOCOL).rpartition(":")
    if not address.startswith(PROTOCOL) or not host or not port.isdecimal():
        raise UserError(f"{key} is {address!r}; expected {PROTOCOL}HOST:PORT")


class DataWorker:
    """Makes this process a data worker, for as long as it lives.

    There is no way to stop it: TensorFlow's own waits for the dispatcher, which may be
    gone, and what a data worker leaves behind is read by the trainer in any case.

    Attributes:
      address: the dispatcher's, grpc://HOST:PORT.
      fingerprint: of the images.

    Args:
      images: the training split.
      host: how trainers and other data workers reach this machine.
      port: to listen on; 0 takes a free one.
      dispatcher: grpc://HOST:PORT to join; "" starts one, on `port`, with a data
        worker on a free port.

    Raises:
      UserError: the port is taken, or no dispatcher answers.
    """

    def __init__(
        self,
        images: pipeline.TrainingImages,
        *,
        host: str,
        port: int,
        dispatcher: str = "",
    ):
        if dispatcher:
            check_address("--dispatcher", dispatcher)
            _check_dispatcher(dispatcher)
        _check_free(port)
        self._reader = batch_op.BatchReader(images)
        self.fingerprint = self._reader.fingerprint
        batch_op.register(self._reader)
        target, self.address = dispatcher, dispatcher
        if not dispatcher:
            self._leader = service.DispatchServer(service.DispatcherConfig(port=port))
            target, port = self._leader.target, 0
            self.address = f"{PROTOCOL}{host}:{target.rpartition(':')[2]}"
        self._worker = service.WorkerServer(
            service.WorkerConfig(
                dispatcher_address=target.removeprefix(PROTOCOL),
                worker_address=f"{host}:%port%",
                port=port,
            )
        )


def _check_free(port: int) -> None:
    """TensorFlow would share a port with whoever has it already."""
    try:
        socket.create_server(("", port)).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"--port={port}: cannot listen on it ({error})") from error


def _check_dispatcher(address: str) -> None:
    """A data worker without a dispatcher would ask forever."""
    nothing = tf.data.Dataset.range(0)
    try:
        _within(PATIENCE_S, lambda: service.register_dataset(address, nothing))
    except (tf.errors.OpError, TimeoutError) as error:
        raise UserError(
            f"--dispatcher={address}: no dispatcher answers ({one_line(error)[:300]}); "
            "start python -m bas_tf.data_service --port=PORT there first"
        ) from error
