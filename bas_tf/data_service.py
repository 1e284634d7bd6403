r"""Reads training batches for trainings elsewhere, by TensorFlow's tf.data service.

  python -m bas_tf.data_service --config=configs/X.py --config.data.root=DIR --port=5050
  python -m bas_tf.train --config=configs/X.py --config.data.root=DIR --workdir=W \
      --config.data.service=grpc://localhost:5050

The batches are those that the training would read itself, to the bit. More data workers
join, here or on other machines that reach the same files:

  python -m bas_tf.data_service --config=configs/X.py --config.data.root=DIR \
      --dispatcher=grpc://localhost:5050

All of them, and the training, say the same config.data, root aside. Runs until SIGTERM
or Ctrl-C, then exits 0. Whoever reaches the port can run TensorFlow
graphs in this process: open it to your own machines only.
"""

import os
import signal
import threading

from absl import flags

from bas_tf import entry_point


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    import tensorflow as tf

    from bas_tf import experiment
    from bas_tf.data import bad_images, batch_service

    config, told_to_stop = entry_point.config(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told_to_stop.set())
    tf.config.set_visible_devices([], "GPU")  # they are the training's
    records = experiment.open_source(config).records("train")
    if flags.FLAGS.on_bad_image == "skip":
        records = bad_images.readable_records(records)[0]
    data_worker = batch_service.DataWorker(
        experiment.training_images(config, records),
        host=flags.FLAGS.host,
        port=flags.FLAGS.port,
        dispatcher=flags.FLAGS.dispatcher,
    )
    print(
        f"serving {data_worker.fingerprint}; train with "
        f"--config.data.service={data_worker.address}",
        flush=True,
    )
    told_to_stop.wait()
    os._exit(0)  # TensorFlow's own end would wait for a dispatcher that is gone


if __name__ == "__main__":
    entry_point.define_config_flag()
    flags.DEFINE_integer(
        "port",
        0,
        "Where to listen; 0 takes a free port.",
        lower_bound=0,
        upper_bound=65535,
    )
    flags.DEFINE_string(
        "host", "localhost", "How the other machines reach this one: a name or address."
    )
    flags.DEFINE_string(
        "dispatcher",
        "",
        "grpc://HOST:PORT of a data service to join; empty starts one.",
    )
    flags.DEFINE_enum(
        "on_bad_image",
        "error",
        ["error", "skip"],
        "As the training has it: skip leaves out the images that cannot be read, which "
        "the training tells and lists.",
    )
    entry_point.run(main)
