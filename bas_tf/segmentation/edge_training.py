"""Training the edge network on confident labels, by the published schedule.

That of IRN (CVPR 2019), as the journal version runs it: three epochs of crops from
scaled and mirrored photos, plain SGD.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image
from tqdm.keras import TqdmCallback

from bas_tf import files
from bas_tf.data.records import Record
from bas_tf.jobs import experiment
from bas_tf.models.backbones.backbone import Backbone
from bas_tf.names import UNSURE_LABEL
from bas_tf.segmentation import edge_network
from bas_tf.segmentation.label_maps import LONGEST, resize_labels
from bas_tf.segmentation.seeds import STRIDE, resize_bicubic
from bas_tf.training.optimizer import make_optimizer, make_schedule

WEIGHTS_FILE, LOSSES_FILE = "edge_network.npz", "edge_losses.csv"
EPOCHS, BATCH_SIZE, RATE, L2 = 3, 32, 0.1, 1e-4
SCALES = 0.5, 1.5
_GRID, _SMALLEST = 32, 96  # the networks take multiples; smaller ones have no pairs

Example = tuple[np.ndarray, np.ndarray]


def load_or_train(
    teacher: experiment.Experiment,
    records: Sequence[Record],
    paths: Sequence[Path],
    folder: Path,
) -> Callable[[np.ndarray], np.ndarray]:
    """The network in a folder, trained where there is none; a stop loses the training.

    Its trunk is the teacher's trained network or, with model.weights "imagenet", that
    before any training, as published.

    Args:
      teacher: the workdir. Its photos are seen as large as data.resize_size, 512 pixels
        at most; train.seed draws weights, crops and their order.
      records: of split train.
      paths: PNGs of their `confident_labels`.
      folder: of WEIGHTS_FILE, and of LOSSES_FILE: the mean loss of each epoch.

    Returns:
      Edges of a photo, see `edge_network.edge_map`.

    Raises:
      UserError: a file that cannot be written.
      DataError: a photo that cannot be read.
    """
    config = teacher.config
    keras.utils.set_random_seed(config.train.seed)
    if config.model.weights == "imagenet":
        localizer = experiment.build_model(config, len(teacher.class_names))
    else:
        again = experiment.load_experiment(teacher.workdir)  # it no longer trains
        localizer = experiment.load_localizer(again)
    longest = min(LONGEST, max(config.data.resize_size))
    canvas = max(_SMALLEST, -(-longest // _GRID) * _GRID)
    network = EdgeNetwork(localizer.backbone, canvas)
    fill = tuple(localizer.backbone.trunk.get_layer("scaling").mean.numpy())
    weights = folder / WEIGHTS_FILE
    if not weights.is_file():
        rng = np.random.default_rng(config.train.seed)

        def example(i: int) -> Example:
            photo, labels = records[i].load_image(), np.asarray(Image.open(paths[i]))
            return random_crop(photo, labels, canvas, longest, fill, rng)

        fit(network, example, len(records), rng, folder / LOSSES_FILE)
        with files.replacing(weights) as file:
            np.savez(file, *network.branch.get_weights())
    with np.load(weights) as arrays:
        network.branch.set_weights(list(arrays.values()))
    logits = tf.function(network, autograph=False)
    return lambda photo: edge_network.edge_map(photo, logits, canvas=canvas, fill=fill)


class EdgeNetwork(keras.Model):
    """Images -> edge logits, by a branch on a backbone that stays as it is.

    Its stages are the last layers of each size and number of channels, from stride 4
    on: IRN's five, of ResNet50 with model.trunk_stride 16.

    Args:
      backbone: built; its variables no longer train.
      canvas: side of the images, a multiple of 32.
    """

    def __init__(self, backbone: Backbone, canvas: int):
        super().__init__()
        self.canvas = canvas
        stages = [keras.Input([canvas, canvas, 3])]
        inputs = stages[0]
        for layer in [*backbone.trunk.layers, *backbone.head.layers[:-1]]:
            outputs = layer(stages[-1])
            if outputs.shape == stages[-1].shape:
                stages.pop()
            stages.append(outputs)
        stages = [stage for stage in stages if canvas // stage.shape[1] >= STRIDE]
        self.stages = keras.Model(inputs, stages)
        self.stages.trainable = False
        strides = tuple(canvas // stage.shape[1] for stage in stages)
        self.branch = edge_network.EdgeBranch(strides=strides)
        self.branch.build([stage.shape for stage in stages])

    def call(self, images):
        """float [batch, canvas, canvas, 3] in 0..255 -> [batch, h, w], a fourth."""
        return self.branch(self.stages(images, training=False))


def random_crop(photo, labels, canvas: int, longest: int, fill, rng) -> Example:
    """A photo scaled and mirrored at random, cropped, or with room around it.

    Args:
      photo: uint8 [height, width, 3].
      labels: uint8 [height, width].
      canvas: side of the crop.
      longest: side that the longer one of a larger photo gets before.
      fill: pixel of the room around, whose labels are unsure.
      rng: a NumPy generator; draws scale, mirroring and place.

    Returns:
      float32 [canvas, canvas, 3] and the labels' `edge_network.edge_targets`.
    """
    scale = rng.uniform(*SCALES) * min(1, longest / max(labels.shape))
    size_wh = tuple(max(1, round(side * scale)) for side in labels.shape[::-1])
    way = rng.choice([1, -1])
    image = resize_bicubic(photo, size_wh)[:, ::way]
    labels = resize_labels(labels, size_wh)[:, ::way]
    spare = [side - canvas for side in labels.shape]  # below 0: room around
    starts = [int(rng.integers(min(0, s), max(0, s) + 1)) for s in spare]
    source = tuple(slice(max(0, s), max(0, s) + canvas) for s in starts)
    target = tuple(
        slice(max(0, -s), max(0, -s) + min(side, canvas))
        for s, side in zip(starts, labels.shape, strict=True)
    )
    crop = np.empty([canvas, canvas, 3], np.float32)
    crop[:], crop[target] = fill, image[source]
    cropped = np.full([canvas, canvas], UNSURE_LABEL, np.uint8)
    cropped[target] = labels[source]
    return crop, edge_network.edge_targets(cropped)


def fit(
    network: EdgeNetwork,
    example: Callable[[int], Example],
    count: int,
    rng: np.random.Generator,
    losses: Path,
) -> None:
    """Trains the branch of a network.

    Args:
      example: a photo's number -> `random_crop`.
      count: how many photos; smaller than a batch, they are one.
      rng: draws their order.
      losses: CSV of the mean loss of each epoch, to write.
    """
    size = min(BATCH_SIZE, count)
    steps = count // size

    def batches():
        for _ in range(EPOCHS):
            for batch in rng.permutation(count)[: steps * size].reshape(steps, size):
                images, targets = zip(*map(example, batch), strict=True)
                yield np.stack(images), np.stack(targets)

    def loss(targets, logits):
        return edge_network.edge_losses(logits, targets)["total"]

    side = network.canvas
    signature = (
        tf.TensorSpec([size, side, side, 3], tf.float32),
        tf.TensorSpec([size, side // STRIDE, side // STRIDE], tf.uint8),
    )
    data = tf.data.Dataset.from_generator(batches, output_signature=signature)
    schedule = make_schedule(kind="poly", base_rate=RATE, total_steps=EPOCHS * steps)
    sgd = {"momentum": 0.0, "l2": L2, "nesterov": False, "bias_rate": 1.0}
    network.compile(make_optimizer("sgd", schedule, **sgd), loss, jit_compile=False)
    network.fit(
        data.prefetch(1),
        epochs=EPOCHS,
        steps_per_epoch=steps,
        shuffle=False,
        verbose=0,
        callbacks=[
            keras.callbacks.CSVLogger(losses),
            TqdmCallback(verbose=0, desc="edge network"),
        ],
    )
