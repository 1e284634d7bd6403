r"""Images per second of the training input alone, beside a torch DataLoader.

  python -m benchmarks.input_pipeline        (wants torch: `make torch`)

Both sides read the same JPEG files (drawings of 500 x 375 with noise), decode them,
resize to 256 x 256 with antialiasing, take the same random 224 x 224 crops, mirror half
of them and yield uint8 batches. The loader is the usual one: Pillow in two worker
processes. The sides run in turns; the ratio is the median over the rounds. Before
that, every image of both is compared.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from absl import app, flags
from PIL import Image

from bas_tf import names
from bas_tf.data import pipeline, preprocess
from bas_tf.data.images import image_file
from bas_tf.data.records import Record
from bas_tf.data.synthetic import draw_example

PHOTO, RESIZE, CROP = (500, 375), (256, 256), (224, 224)
BATCH, SEED, WORKERS = 32, 0, 2
NOISE = 4.0  # grey levels: JPEG files as large as those of photos


def write_photos(folder: Path, count: int) -> list[Path]:
    """JPEG files of quality 90."""
    paths, rng = [], np.random.default_rng(SEED)
    for i in range(count):
        drawn = draw_example(seed=SEED, split="train", index=i, image_size=PHOTO)
        noisy = drawn.image + rng.normal(0, NOISE, drawn.image.shape)
        paths.append(folder / f"{i}.jpg")
        pixels = np.clip(noisy, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(paths[-1], quality=90)
    return paths


class PillowPhotos(torch.utils.data.Dataset):
    """What a torch training reads: the same crops, epoch by epoch."""

    def __init__(self, paths: list[Path], epoch: int):
        self._paths, self._epoch = paths, epoch

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        rng = np.random.default_rng([SEED, self._epoch, index])
        (x, y), mirrored = preprocess.random_offset_and_flip(RESIZE, CROP, rng)
        with Image.open(self._paths[index]) as image:
            resized = image.convert("RGB").resize(RESIZE, Image.Resampling.BILINEAR)
        crop = resized.crop((x, y, x + CROP[0], y + CROP[1]))
        if mirrored:
            crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return torch.from_numpy(np.array(crop))


def torch_batches(paths: list[Path], epoch: int) -> Iterator:
    order = np.random.default_rng([SEED, epoch]).permutation(len(paths)).tolist()
    return iter(
        torch.utils.data.DataLoader(
            PillowPhotos(paths, epoch), BATCH, sampler=order, num_workers=WORKERS
        )
    )


def our_batches(paths: list[Path], epoch: int) -> Iterator:
    records = [Record(str(path), 0, image_file(path)) for path in paths]
    images = pipeline.TrainingImages(records, resize_size_wh=RESIZE, keep=False)
    batches = pipeline.train_batches(
        images, crop_size_wh=CROP, batch_size=BATCH, seed=SEED, epoch=epoch
    )
    return (batch[names.IMAGES] for batch in batches)


def images_per_second(batches: Iterable) -> float:
    """After the first batch, so that starting workers is not counted."""
    batches = iter(batches)
    next(batches)
    start, count = time.perf_counter(), 0
    for batch in batches:
        count += len(batch)
    return count / (time.perf_counter() - start)


def compare(paths: list[Path]) -> tuple[int, float]:
    """Largest difference between the sides, and the share of values that differ."""
    largest, different = 0, []
    for theirs, ours in zip(
        torch_batches(paths, 0), our_batches(paths, 0), strict=True
    ):
        difference = np.abs(theirs.numpy().astype(int) - ours.numpy())
        largest = max(largest, int(difference.max()))
        different.append((difference > 0).mean())
    return largest, float(np.mean(different))


def main(_) -> None:
    count, rounds = flags.FLAGS.num_images, flags.FLAGS.rounds
    sides: dict[str, Callable] = {"torch": torch_batches, "bas_tf": our_batches}
    with tempfile.TemporaryDirectory() as folder:
        paths = write_photos(Path(folder), count)
        size = statistics.mean(path.stat().st_size for path in paths)
        largest, share = compare(paths)
        print(
            f"{count} JPEGs of {PHOTO[0]}x{PHOTO[1]}, {size / 1e3:.0f} kB each; "
            f"batches of {BATCH}; largest difference {largest}/255, {share:.1%} of "
            "the values differ"
        )
        speeds: dict[str, list[float]] = {name: [] for name in sides}
        for epoch in range(rounds):
            for name, batches in sides.items():
                speeds[name].append(images_per_second(batches(paths, epoch)))
            print(*(f"{name} {values[-1]:.0f}" for name, values in speeds.items()))
    ratios = [ours / theirs for theirs, ours in zip(*speeds.values(), strict=True)]
    for name, values in speeds.items():
        print(f"{name}: median {statistics.median(values):.0f} images per second")
    print(
        f"ratio: median {statistics.median(ratios):.2f} of {rounds} rounds "
        f"({min(ratios):.2f} to {max(ratios):.2f})"
    )


if __name__ == "__main__":
    flags.DEFINE_integer("num_images", 1024, "JPEG files.", lower_bound=2 * BATCH)
    flags.DEFINE_integer("rounds", 7, "Turns of each side.", lower_bound=1)
    app.run(main)
