r"""What the edge files gain over a plain port of the training network, in LiteRT.

  python -m benchmarks.edge_latency          (about 6 minutes)

MobileNetV1 at 224 pixels with fresh weights, 200 and 1,000 classes. The plain port is
the training network as it stands: the paper's head, a map of every class, one of them
picked, the background branch left in, the box left to the host. Ours: the linear head,
the predicted class's map alone, the box in the graph. Every file runs in its
own process, alternately; times are medians over the rounds.
"""

import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import app, flags

from bas_tf import names
from bas_tf.export.artifacts import signatures
from bas_tf.export.evaluation import timing
from bas_tf.export.litert import conversion
from bas_tf.models.activation_map_constraint import background_activation
from bas_tf.models.localizer import build_localizer
from bas_tf.ops import masking

SIZE, CLASSES = 224, (200, 1000)


def build(num_classes: int, classifier: str):
    return build_localizer(
        backbone="mobilenet_v1", num_classes=num_classes, input_size_wh=(SIZE, SIZE),
        classifier={"variant": classifier},
    )  # fmt: skip


def plain_port(localizer) -> tf.types.experimental.PolymorphicFunction:
    spec = tf.TensorSpec([1, SIZE, SIZE, 3], tf.uint8, name=names.IMAGES)

    def serve(images):
        features, class_maps = localizer.backbone(tf.cast(images, tf.float32))
        logits = masking.global_average_pool(class_maps)
        class_ids = tf.argmax(logits, axis=-1)
        maps = localizer.generator(features)
        chosen = masking.select_class(maps, class_ids)
        hidden = background_activation(
            localizer.backbone.head, features, chosen, class_ids, training=False
        )
        return {
            names.LOGITS: logits,
            names.LOCALIZATION_MAP: chosen,
            names.BACKGROUND_ACTIVATION: hidden,
        }

    return tf.function(serve, input_signature=[spec])


def write_files(folder: Path, num_classes: int, images: np.ndarray) -> dict[str, Path]:
    ours = signatures.ServedLocalizer(
        build(num_classes, "linear"),
        input_size_wh=(SIZE, SIZE), score_threshold=0.5,
    )  # fmt: skip
    plain = plain_port(build(num_classes, "paper"))
    both = ["none", "int8"]
    contents = {
        "plain": conversion.convert(plain, both, images),
        "ours": conversion.convert_localizer(ours, both, images),
        "given_class": conversion.convert_localizer(
            ours, ["int8"], images, variant="given_class"
        ),
    }
    paths = {}
    for name, of in contents.items():
        for quantization, content in of.items():
            key = f"{name}_{conversion.QUANTIZATIONS[quantization]}"
            paths[key] = folder / f"{key}.tflite"
            paths[key].write_bytes(content)
    return paths


def compare(num_classes: int, images: np.ndarray, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = write_files(Path(folder), num_classes, images)
        with timing.taking_turns(
            paths, dict.fromkeys(paths, images), num_threads=2, rounds=rounds
        ) as processes:
            for name, process in processes.items():
                seconds = np.median(np.reshape(process.seconds, [rounds, -1]), axis=1)
                size = paths[name].stat().st_size
                print(
                    f"{num_classes} classes, {name}: "
                    f"{1e3 * np.median(seconds):.1f} ms, {size / 1e6:.1f} MB"
                )


def main(_) -> None:
    images = timing.drawings((SIZE, SIZE))
    for num_classes in CLASSES:
        compare(num_classes, images, flags.FLAGS.rounds)


if __name__ == "__main__":
    flags.DEFINE_integer("rounds", 7, "Turns of each file.", lower_bound=5)
    app.run(main)
