"""The one strategy object that a run is built on, and each replica's share of a batch.

What tf.distribute 2.21 leaves to its callers is here: the order of examples over
replicas, and an end instead of a hang when a worker is lost.
"""

import contextlib
import functools
import json
import os
import re
from collections.abc import Callable, Iterator

import tensorflow as tf

from bas_tf.errors import UserError, one_line
from bas_tf.training import rendezvous

START_TIMEOUT_S = 600  # until the last worker has come
HEARTBEAT_TIMEOUT_S = 20  # a worker silent for as long is lost
# What a collective operation or a checkpoint's barrier raises then.
LOST_WORKER_ERRORS = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)


def make_strategy(kind: str) -> tf.distribute.Strategy:
    """Builds a strategy; the same kind is the same object for a whole process.

    "multi_worker" and "tpu" must come before anything else that runs TensorFlow.

    Args:
      kind: "default", one device; "mirrored", every visible GPU, or every logical
        CPU device when there is none; "multi_worker", every device of every process
        that TF_CONFIG names; "tpu", the TPU that the environment names, or "tpu:NAME"
        ("tpu:local" on a TPU VM). The TPU path has never been run on a TPU.

    Raises:
      UserError: an unknown kind, TF_CONFIG missing or wrong, a worker that does not
        come within START_TIMEOUT_S, or no TPU.
    """
    if kind == "default":
        return tf.distribute.get_strategy()
    if kind == "mirrored":
        return _mirrored_strategy()
    if kind == "multi_worker":
        return _multi_worker_strategy()
    name, _, tpu = kind.partition(":")
    if name == "tpu":
        return _tpu_strategy(tpu)
    raise UserError(
        f"train.strategy is {kind!r}; known: default, mirrored, multi_worker, tpu, "
        "tpu:NAME"
    )


def worker_of(strategy: tf.distribute.Strategy) -> tuple[int, int]:
    """Which process this is, from 0, and of how many; (0, 1) when it is alone.

    As `pipeline.train_batches` takes it. A job "chief" of TF_CONFIG counts before the
    job "worker".
    """
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return 0, 1
    resolver = strategy.cluster_resolver
    cluster = resolver.cluster_spec().as_dict()
    chiefs = len(cluster.get("chief", ()))
    before = chiefs if resolver.task_type == "worker" else 0
    return before + resolver.task_id, chiefs + len(cluster.get("worker", ()))


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes logs and reports: the first one."""
    return worker_of(strategy)[0] == 0


def distribute(
    strategy: tf.distribute.Strategy,
    make_dataset: Callable[[tuple[int, int]], tf.data.Dataset],
):
    """Batches for `strategy.run`: together the replicas get what one replica would.

    The global batch is the concatenation of the replicas' parts, worker after worker,
    and within a worker replica after replica. A worker makes its own share only.

    Args:
      make_dataset: (which, of how many) -> that worker's share of every global batch,
        as `pipeline.train_batches` gives it: tensors [batch / workers, ...].

    Returns:
      An iterable of what `strategy.run` takes.
    """

    def dataset_of(context: tf.distribute.InputContext) -> tf.data.Dataset:
        workers = context.num_input_pipelines
        share = make_dataset((context.input_pipeline_id, workers))
        return _split(share, context.num_replicas_in_sync // workers)

    return strategy.distribute_datasets_from_function(dataset_of)


@contextlib.contextmanager
def noticing_lost_workers(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Raises a UserError, one line, where TensorFlow raises that a worker is gone.

    A killed worker makes the others' next collective operation raise within
    HEARTBEAT_TIMEOUT_S, at once when it was the first worker.
    """
    try:
        yield
    except LOST_WORKER_ERRORS as error:
        if worker_of(strategy)[1] == 1:
            raise
        raise UserError(_lost(error, worker_of(strategy))) from error


def _split(batches: tf.data.Dataset, parts: int) -> tf.data.Dataset:
    """Each batch as so many consecutive elements."""
    if parts == 1:
        return batches

    def cut(tensor: tf.Tensor) -> tf.Tensor:
        size, *rest = tensor.shape
        return tf.reshape(tensor, [parts, size // parts, *rest])

    return batches.flat_map(
        lambda batch: tf.data.Dataset.from_tensor_slices(
            tf.nest.map_structure(cut, batch)
        )
    )


# Cached: two strategies of a process would number their collective operations alike,
# and TensorFlow stops with "Collective instance 100 expected type".
@functools.cache
def _mirrored_strategy() -> tf.distribute.Strategy:
    devices = tf.config.list_logical_devices("GPU")
    devices = devices or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])


@functools.cache
def _multi_worker_strategy() -> tf.distribute.Strategy:
    cluster, index = _read_tf_config()
    addresses = [*cluster.get("chief", ()), *cluster.get("worker", ())]
    rendezvous.meet(addresses, index, timeout_s=START_TIMEOUT_S)
    _limit_waiting(cluster)
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.OpError as error:
        raise UserError(
            f"TF_CONFIG: worker {index} waited for all of {', '.join(addresses)} and "
            f"gave up ({one_line(error)[:200]}); each must reach each"
        ) from error


def _read_tf_config() -> tuple[dict[str, list[str]], int]:
    """The cluster {job: addresses} and this worker's place, chiefs before workers.

    Raises:
      UserError: TF_CONFIG is missing or does not say them.
    """
    value = os.environ.get("TF_CONFIG")
    example = (
        '{"cluster": {"worker": ["HOST0:PORT", "HOST1:PORT"]}, '
        '"task": {"type": "worker", "index": 0}}'
    )
    if not value:
        raise UserError(
            "train.strategy is 'multi_worker', but TF_CONFIG is not set; set it in "
            f"every worker's environment to {example}, index counting the workers, or "
            "start them all on this machine by --local_workers=N"
        )
    try:
        content = json.loads(value)
        cluster, task = content["cluster"], content["task"]
        index = int(task["index"])
        known = set(cluster) <= {"chief", "worker"}
        if not known or not 0 <= index < len(cluster[task["type"]]):
            raise ValueError("jobs are chief and worker, the task one of theirs")
        for address in sum(cluster.values(), []):
            host, _, port = address.rpartition(":")
            if not (host and port.isdecimal() and 0 < int(port) < 65536):
                raise ValueError(f"{address!r} is not HOST:PORT")
        if task["type"] == "worker":
            index += len(cluster.get("chief", ()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise UserError(
            f"TF_CONFIG is {value!r} ({reason}); expected {example}"
        ) from error
    return cluster, index


def _limit_waiting(cluster: dict[str, list[str]]) -> None:
    """Says how long workers wait for each other; TensorFlow would wait an hour.

    The strategy keeps settings it finds. There is no public way to make them.
    """
    from tensorflow.compiler.xla.tsl.protobuf import coordination_config_pb2
    from tensorflow.python.eager import context

    jobs = [
        coordination_config_pb2.CoordinatedJob(name=job, num_tasks=len(addresses))
        for job, addresses in cluster.items()
    ]
    first = "chief" if "chief" in cluster else "worker"
    context.context().configure_coordination_service(
        service_type="standalone",
        service_leader=f"/job:{first}/replica:0/task:0",
        cluster_register_timeout_in_ms=1000 * START_TIMEOUT_S,
        heartbeat_timeout_in_ms=1000 * HEARTBEAT_TIMEOUT_S,
        shutdown_barrier_timeout_in_ms=1000 * HEARTBEAT_TIMEOUT_S,
        coordinated_jobs=jobs,
    )


def _lost(error: Exception, worker: tuple[int, int]) -> str:
    found = set(re.findall(r"/job:(\w+)/(?:replica:\d+/)?task:(\d+)", str(error)))
    others = sorted(f"{job} {task}" for job, task in found)
    who = f"worker {others[0].split()[1]}" if len(others) == 1 else "another worker"
    return (
        f"{who} is gone, worker {worker[0]} of {worker[1]} stops: the last checkpoint "
        f"is kept; see the log of {who}, then start all of them again "
        f"({type(error).__name__})"
    )


@functools.cache
def _tpu_strategy(name: str) -> tf.distribute.Strategy:
    """Follows TensorFlow's guide; has never been run on a TPU."""
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name or None)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        kind = f"tpu:{name}" if name else "tpu"
        raise UserError(
            f"train.strategy is {kind!r}, but no TPU answers "
            f"({one_line(error)[:200]}); on a TPU VM say 'tpu:local'"
        ) from error
    return tf.distribute.TPUStrategy(resolver)
