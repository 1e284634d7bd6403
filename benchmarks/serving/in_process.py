r"""What a server's signature costs beside the bare network, and what bad input leaves.

  python -m benchmarks.serving.in_process --workdir=runs/demo --output=in_process.json \
      [--image_size=500,375]

In one process, on two threads, through TensorFlow's C++ runtime:

- Images a second of the SavedModel's `serving_default` (JPEG files of --image_size in,
  boxes out) and of the network alone (pixels of its own size in; logits and the
  localization map out); batches of 1 to 32, in turns, median of 7 rounds.
- Resident memory before and after 1,000 requests that are no good: no images at all,
  empty files, text, noise, half a JPEG, a PNG that promises 30,000 x 30,000 pixels, and
  every 100th one 50 MB of noise.
"""

import functools
import io
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from absl import flags

from bas_tf import entry_point, names
from bas_tf.errors import UserError

THREADS, ROUNDS, LEAST_SECONDS = 2, 7, 0.3
BATCH_SIZES = (1, 2, 4, 8, 16, 32)
BAD_REQUESTS, LARGE_EVERY, LARGE_BYTES, STEPS = 1000, 100, 50_000_000, 4


def seconds_a_call(call: Callable[[], object]) -> float:
    """Of as many calls as fill LEAST_SECONDS."""
    count, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < LEAST_SECONDS or not count:
        call()
        count += 1
    return passed / count


def overhead_row(batch: int, signature: Callable, network: Callable) -> dict:
    """Both calls measured in turns.

    Args:
      batch: how many images a call has.
      signature, network: the calls.

    Returns:
      {"batch", "signature_images_per_s", "network_images_per_s", "overhead"}, the last
      being what the signature takes longer, as a share of the network's time.
    """
    signature(), network()
    pairs = [
        (seconds_a_call(signature), seconds_a_call(network)) for _ in range(ROUNDS)
    ]
    ours, bare = zip(*pairs, strict=True)
    return {
        "batch": batch,
        "signature_images_per_s": batch / statistics.median(ours),
        "network_images_per_s": batch / statistics.median(bare),
        "overhead": statistics.median(a / b - 1 for a, b in pairs),
    }


def _answered(function: Callable, *args, **kwargs) -> None:
    """Calls a function of the runtime and fetches what it gives."""
    for value in function(*args, **kwargs).values():
        value.numpy()


def drawn_jpegs(size_wh: tuple[int, int]) -> list[bytes]:
    """Drawings of the synthetic set, enlarged to the size of photos."""
    from PIL import Image

    from export import benchmark

    contents = []
    for drawing in benchmark.drawings((224, 224)):
        content = io.BytesIO()
        large = Image.fromarray(drawing).resize(size_wh, Image.Resampling.BICUBIC)
        large.save(content, "JPEG", quality=90)
        contents.append(content.getvalue())
    return contents


def bad_requests(jpeg: bytes) -> Iterator[list[bytes]]:
    """BAD_REQUESTS batches of what is no image; the first kind has no rows at all."""
    import numpy as np

    rng = np.random.default_rng(0)
    promise = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (30_000).to_bytes(4, "big") * 2
    kinds = [
        [], [b""], [b"text"], [rng.bytes(100_000)], [jpeg[: len(jpeg) // 2]],
        [promise + bytes(9)], [jpeg, b"", jpeg[:100], promise],
    ]  # fmt: skip
    large = b"\xff\xd8\xff" + rng.bytes(LARGE_BYTES)
    for i in range(BAD_REQUESTS):
        yield [large] if i % LARGE_EVERY == 0 else kinds[i % len(kinds)]


def memory_of_bad_requests(ask: Callable, jpegs: Sequence[bytes]) -> list[int]:
    """Resident bytes before BAD_REQUESTS, and after each quarter of them."""
    import tensorflow as tf

    from export.timed_artifact import memory

    level = []
    for batch in BATCH_SIZES:
        ask(tf.constant([jpegs[0]] * batch))
    level.append(memory())
    for i, request in enumerate(bad_requests(jpegs[0]), 1):
        try:
            ask(tf.constant(request, tf.string))
        except tf.errors.InvalidArgumentError:
            if request:
                raise
        if i % (BAD_REQUESTS // STEPS) == 0:
            level.append(memory())
    return level


def measure(workdir: str, size_wh: tuple[int, int]) -> dict:
    """What the command writes; see the head of this file."""
    import numpy as np
    import tensorflow as tf

    from bas_tf import experiment
    from export import benchmark, saved_model

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    loaded = experiment.load_experiment(workdir)
    localizer = experiment.load_localizer(loaded)
    input_size_wh = tuple(loaded.config.data.crop_size)

    @tf.function(reduce_retracing=True)
    def network(images):
        outputs = localizer(images, training=False)
        return {key: outputs[key] for key in (names.LOGITS, names.LOCALIZATION_MAP)}

    with tempfile.TemporaryDirectory() as folder:
        reloaded = tf.saved_model.load(
            str(saved_model.export_saved_model(workdir, Path(folder) / "saved_model"))
        )
        signature = reloaded.signatures[names.SIGNATURE]
        jpegs = drawn_jpegs(size_wh)
        pixels = benchmark.drawings(input_size_wh).astype(np.float32)
        rows = []
        for batch in BATCH_SIZES:
            places = np.arange(batch) % len(jpegs)
            sent = tf.constant([jpegs[i] for i in places])
            rows.append(
                overhead_row(
                    batch,
                    functools.partial(_answered, signature, image_bytes=sent),
                    functools.partial(_answered, network, tf.constant(pixels[places])),
                )
            )
        memory = memory_of_bad_requests(
            lambda contents: signature(image_bytes=contents), jpegs
        )
    return {
        "workdir": str(workdir),
        "image_size": list(size_wh),
        "input_size": list(input_size_wh),
        "num_threads": THREADS,
        "rows": rows,
        "memory_bytes": memory,
    }


def format_document(document: dict) -> str:
    """A table for people."""
    lines = [f"{'batch':>5}{'signature':>12}{'network':>10}{'overhead':>10}"]
    lines += [
        f"{row['batch']:>5}{row['signature_images_per_s']:>10.1f}/s"
        f"{row['network_images_per_s']:>8.1f}/s{100 * row['overhead']:>9.0f}%"
        for row in document["rows"]
    ]
    levels = ", ".join(f"{level / 2**20:.0f}" for level in document["memory_bytes"])
    return "\n".join(
        [*lines, "", f"MiB before and during {BAD_REQUESTS} bad requests: {levels}"]
    )


def parse_size(size: Sequence[str]) -> tuple[int, int]:
    """Raises UserError for what is no width and height."""
    if len(size) != 2 or not all(side.isdecimal() and int(side) for side in size):
        raise UserError(f"--image_size={','.join(size)}: not a size, such as 500,375")
    return int(size[0]), int(size[1])


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    from bas_tf import files

    size_wh = parse_size(flags.FLAGS.image_size)
    document = measure(flags.FLAGS.workdir, size_wh)
    files.write_json(flags.FLAGS.output, document)
    print(format_document(document))


if __name__ == "__main__":
    entry_point.define_path("workdir", None, "A trained workdir.", required=True)
    entry_point.define_path("output", None, "The JSON file to write.", required=True)
    flags.DEFINE_list("image_size", ["500", "375"], "Width and height of what is sent.")
    entry_point.run(main)
