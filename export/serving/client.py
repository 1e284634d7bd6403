"""Finds the objects of photos by a TensorFlow Serving that serves the model.

  python -m export.serving.client --address=localhost:8500 --output=DIR PHOTOS...

PHOTOS are files and folders. DIR/results.jsonl gets a line for each file: its class,
score, box (half-open, pixels of the upright photo), or its `error`; DIR/overlays/ gets
the drawn photos. Started again, it continues: what has a result is not sent again, what
failed is. A server that is overloaded or starting is asked again within --timeout_s,
with fewer requests at a time. Exit code 0 when every file has a result, 1 when some
failed.

In a program:

  with client.connect("localhost:8500", timeout_s=30) as serving:
      answers = serving.localize([photos.encoded(path).content for path in paths])
"""

import re
import sys
from pathlib import Path

from absl import flags

from bas_tf import entry_point, files
from bas_tf.errors import UserError, check_choice
from export.serving.serving_client import ServedModel, ServingClient

PROTOCOLS = ("grpc", "rest")
# A server that restarts and warms up was away for 15 to 17 s on a busy machine; a call
# that is made meanwhile should outlast that, and a queue behind it.
TIMEOUT_S = 60.0


def connect(
    address: str,
    *,
    protocol: str = "grpc",
    model: ServedModel = ServedModel(),  # noqa: B008  frozen
    timeout_s: float = TIMEOUT_S,
    retries: bool = True,
) -> ServingClient:
    """A client of a server; connects with its first call.

    Args:
      address: HOST:PORT, of the port for the protocol.
      protocol: "grpc" (needs tensorflow-serving-api) or "rest".
      model: which of the server's is asked.
      timeout_s: for each call, its retries included.
      retries: False tells of every failure.

    Raises:
      UserError: the address is none, the protocol is not known or its package missing.
    """
    check_choice("protocol", protocol, PROTOCOLS)
    _check_address(address)
    if protocol == "rest":
        from export.serving.requests_rest import RestTransport as Transport
    else:
        from export.serving.requests_grpc import GrpcTransport as Transport
    return ServingClient(
        Transport(address, model), timeout_s=timeout_s, retries=retries
    )


def _check_address(address: str) -> None:
    match = re.fullmatch(r"([^\s:/]+|\[[0-9a-fA-F:.]+\]):(\d{1,5})", address)
    if not match or not 0 < int(match[2]) < 65536:
        raise UserError(f"--address={address}: not HOST:PORT, such as localhost:8500")


def main(args: list[str]) -> None:
    if not args:
        raise UserError("no photo or folder given; see --help")
    from export.serving import photos, results_file, run_client

    output = Path(flags.FLAGS.output)
    # Photos may lie in the output: only what this command draws there is none.
    found = photos.find_photos(args, output=output / run_client.OVERLAYS)
    written = (results_file.RESULTS_FILE, results_file.REQUEST_FILE)
    files.check_not_inputs(
        [output / name for name in written], [photo.path for photo in found]
    )
    model, class_id = _model_of_flags(), flags.FLAGS.class_id
    request = {
        "--model": model.name,
        "--version": model.version,
        "--version_label": model.label,
        "--class_id": class_id,
    }
    if flags.FLAGS.protocol == "grpc":
        entry_point.load_tensorflow()
    serving = connect(
        flags.FLAGS.address,
        protocol=flags.FLAGS.protocol,
        model=model,
        timeout_s=flags.FLAGS.timeout_s,
    )
    with serving, results_file.opened(output, request) as results:
        failed = run_client.localize_photos(
            found,
            results,
            serving,
            output=output,
            class_id=class_id,
            batch_size=flags.FLAGS.batch_size,
            concurrency=flags.FLAGS.concurrency,
            draws_overlays=flags.FLAGS.overlays,
        )
    print(f"{output / results_file.RESULTS_FILE}: {len(found)} photos, {failed} failed")
    if failed:
        sys.exit(1)


def _model_of_flags() -> ServedModel:
    version, label = flags.FLAGS["version"].value, flags.FLAGS.version_label
    if version is not None and label is not None:
        raise UserError("--version and --version_label: one of them, not both")
    return ServedModel(flags.FLAGS["model"].value, version, label)


if __name__ == "__main__":
    flags.DEFINE_string("address", None, "The server's HOST:PORT.", required=True)
    flags.DEFINE_enum("protocol", "grpc", PROTOCOLS, "What its port speaks.")
    flags.DEFINE_string("model", "bas", "The served model's name.")
    flags.DEFINE_integer(
        "version", None, "Ask this version, not the latest.", lower_bound=0
    )
    flags.DEFINE_string("version_label", None, "Ask the version of this label.")
    flags.DEFINE_integer("batch_size", 8, "Photos a request.", lower_bound=1)
    flags.DEFINE_integer("concurrency", 4, "Requests at a time.", lower_bound=1)
    flags.DEFINE_float(
        "timeout_s",
        TIMEOUT_S,
        "Seconds for a request and its retries.",
        lower_bound=0.001,
        upper_bound=86400,
    )
    flags.DEFINE_integer(
        "class_id", None, "Localize this class, predicted or not.", lower_bound=0
    )
    entry_point.define_path("output", None, "The folder to write to.", required=True)
    flags.DEFINE_bool("overlays", True, "Draw each photo with its box.")
    entry_point.run(main, loads_tensorflow=False)
