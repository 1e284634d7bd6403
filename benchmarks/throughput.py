r"""Photos a second of localize, annotate and evaluate, and of the network alone.

  python -m benchmarks.throughput --config=configs/butterflies_efficientnet_lite0.py

Drawings of 500 x 375 pixels as JPEG files, a network with fresh weights. Alternately,
`--rounds` times: the network on resized photos in memory, in batches of 16; and each
command's own function from files to files. A side's time is that of all photos less
that of the first 20, so that loading does not count. Median of the rounds' own ratios.
"""

import functools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from absl import flags

from bas_tf import entry_point
from benchmarks.evaluation_speed import data_set

FEW, BATCH = 20, 16


def file_photos(root: Path, count: int) -> list[Path]:
    """Writes photos of two classes to ROOT/val."""
    labels = iter(range(count))
    return data_set.file_photos(root, count, lambda _: next(labels) % 2)


def make_workdir(config, root: Path, count: int) -> list[Path]:
    """Photos in ROOT/photos/val, whose paths are returned; ROOT/model, of them."""
    from bas_tf.jobs import training

    photos = root / "photos"
    paths = file_photos(photos, count)
    for path in paths[0], paths[-1]:
        copy = photos / "train" / path.parent.name / path.name
        copy.parent.mkdir(parents=True)
        copy.write_bytes(path.read_bytes())
    config.data.source, config.data.root = "folder", str(photos)
    config.model.weights = ""
    config.data.batch_size = 2
    config.train.epochs = config.train.self_training_rounds = 0
    training.run_training(config, root / "model")
    return paths


def make_sides(config, paths: list[Path], root: Path) -> dict[str, Callable]:
    """{side: what takes the number of photos}."""
    from bas_tf.annotation.run import annotate_photos
    from bas_tf.annotation.settings import Settings
    from bas_tf.data import decode, preprocess
    from bas_tf.jobs import evaluation, experiment, localization

    model = root / "model"
    runner = experiment.load_runner(model)
    size_wh = tuple(config.data.crop_size)
    images = np.stack(
        [preprocess.resize(decode.decode_image(path), size_wh) for path in paths]
    )

    def network(count: int) -> None:
        for start in range(0, count, BATCH):
            runner.predict_fn(images[start : min(start + BATCH, count)])

    def localize(count: int) -> None:
        output = Path(tempfile.mkdtemp(dir=root))
        localization.localize_photos(model, paths[:count], output, class_name=None)

    def annotate(count: int) -> None:
        annotate_photos(
            model,
            paths[:count],
            Path(tempfile.mkdtemp(dir=root)) / "set",
            Settings("coco"),
            load=functools.partial(experiment.load_runner, model),
        )

    def evaluate(count: int) -> None:
        some = config.copy_and_resolve_references()
        if count == FEW:
            some.data.root = str(root / "few")
        evaluation.evaluate_model(model, some, split="val")

    file_photos(root / "few", FEW)
    return {
        "network": network,
        "localize": localize,
        "annotate": annotate,
        "evaluate": evaluate,
    }


def measure(sides: dict[str, Callable], count: int, rounds: int) -> dict[str, list]:
    """{side: photos a second in each round}."""
    for run in sides.values():
        run(FEW)
    rates = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            seconds = []
            for photos in FEW, count:
                start = time.perf_counter()
                run(photos)
                seconds.append(time.perf_counter() - start)
            rates[name].append((count - FEW) / (seconds[1] - seconds[0]))
    return rates


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    given = flags.FLAGS
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        config = entry_point.config()
        paths = make_workdir(config, root, given.photos)
        rates = measure(make_sides(config, paths, root), given.photos, given.rounds)
    for name, found in rates.items():
        ratio = np.median(np.divide(found, rates["network"]))
        print(f"{name}: {np.median(found):.1f} photos a second, {ratio:.0%}")


if __name__ == "__main__":
    entry_point.define_config_flag()
    flags.DEFINE_integer("photos", 500, "Photos.", lower_bound=2 * FEW)
    flags.DEFINE_integer("rounds", 5, "Turns.", lower_bound=1)
    entry_point.run(main)
