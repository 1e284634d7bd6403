"""Localizes the objects in photos with a TensorFlow Serving server.

  python -m export.serving.client --address=localhost:8500 --output=DIR PHOTOS...

PHOTOS are files and folders. DIR/results.jsonl gets one line per file: its class,
score and box (half-open, pixels of the upright photo), or its `error`; DIR/overlays/
gets the photos with boxes. Run again, it resumes: only photos without a result or with
an error are sent. If the server is overloaded or starting, requests are retried within
--timeout_s, fewer at a time. Exit code 0 if every file has a result, 1 if some failed.

In a program:

  with client.connect("localhost:8500", timeout_s=30) as serving:
      answers = serving.localize([photos.encoded(path).content for path in paths])
"""

import sys
from pathlib import Path

from absl import flags

from bas_tf import entry_point, files
from bas_tf.errors import UserError
from bas_tf.export.client import connection
from bas_tf.export.client.served import ServedModel


def main(args: list[str]) -> None:
    if not args:
        raise UserError("no photo or folder given; see --help")
    from bas_tf.export.client import photos, results_file, run_client

    output = Path(flags.FLAGS.output)
    # Photos may lie in the output: only what this command draws there is none.
    found = photos.find_photos(args, output=output / run_client.OVERLAYS)
    written = (results_file.RESULTS_FILE, results_file.REQUEST_FILE)
    files.check_not_inputs([output / name for name in written], found)
    keys = ("model", "version", "version_label", "class_id")
    request = {f"--{key}": flags.FLAGS[key].value for key in keys}
    name, version, label, class_id = request.values()
    if version is not None and label is not None:
        raise UserError("--version and --version_label: one of them, not both")
    if flags.FLAGS.protocol == "grpc":
        entry_point.load_tensorflow()
    serving = connection.connect(
        flags.FLAGS.address,
        protocol=flags.FLAGS.protocol,
        model=ServedModel(name, version, label),
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


if __name__ == "__main__":
    flags.DEFINE_string("address", None, "The server's HOST:PORT.", required=True)
    flags.DEFINE_enum(
        "protocol", "grpc", connection.PROTOCOLS, "The protocol of that port."
    )
    flags.DEFINE_string("model", "bas", "The served model's name.")
    flags.DEFINE_integer(
        "version", None, "Use this version, not the latest.", lower_bound=0
    )
    flags.DEFINE_string("version_label", None, "Use the version with this label.")
    flags.DEFINE_integer("batch_size", 8, "Photos per request.", lower_bound=1)
    flags.DEFINE_integer("concurrency", 4, "Concurrent requests.", lower_bound=1)
    flags.DEFINE_float(
        "timeout_s",
        connection.TIMEOUT_S,
        "Seconds for a request including retries.",
        lower_bound=0.001,
        upper_bound=86400,
    )
    flags.DEFINE_integer(
        "class_id", None, "Localize this class, predicted or not.", lower_bound=0
    )
    entry_point.define_path("output", None, "The folder to write to.", required=True)
    flags.DEFINE_bool("overlays", True, "Draw each photo with its box.")
    entry_point.run(main, loads_tensorflow=False)
