"""Tiny data sets prepared by tensorflow-datasets itself, without the network."""

import tarfile
from pathlib import Path

import tensorflow_datasets as tfds
from tensorflow_datasets.image_classification import caltech_birds

from tests.data import tiny_sets


def store(
    data_dir: Path, features: dict, examples: list[dict], *, name: str = "tiny_set"
) -> None:
    """Prepares a data set of one split, `train`, version 1.0.0."""
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version="1.0.0",
        features=tfds.features.FeaturesDict(features),
        split_datasets={"train": list(enumerate(examples))},
        data_dir=data_dir,
        disable_shuffling=True,
    )


class _LocalDownloads:
    """Answers a download with the file of that name in a folder."""

    def __init__(self, manager, folder: Path):
        self._manager, self._folder = manager, folder

    def download(self, urls: list[str]) -> list[Path]:
        return [self._folder / Path(url.partition("?")[0]).name for url in urls]

    def download_and_extract(self, urls: list[str]) -> list:
        return [self._manager.extract(path) for path in self.download(urls)]

    def iter_archive(self, path: Path):
        return self._manager.iter_archive(path)


class LocalBirds2011(caltech_birds.CaltechBirds2011):
    """caltech_birds2011 from archives that are there, with the tiny set's classes."""

    VERSION = tfds.core.Version("0.2.0")
    folder: Path

    def _info(self) -> tfds.core.DatasetInfo:
        label = tfds.features.ClassLabel(num_classes=len(tiny_sets.BIRDS))
        features = {**super()._info().features, "label": label}
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features)
        )

    def _split_generators(self, dl_manager):
        return super()._split_generators(_LocalDownloads(dl_manager, self.folder))


BIRDS = f"tfds:{LocalBirds2011.name}"


def make_birds(folder: Path) -> Path:
    """A tiny CUB, raw, and through its builder in folder/tfds, which it returns."""
    tiny_sets.make_cub(folder)
    for name in ("CUB_200_2011", "segmentations"):
        with tarfile.open(folder / f"{name}.tgz", "w:gz") as tar:
            tar.add(folder / name, arcname=name)
    LocalBirds2011.folder = folder
    LocalBirds2011(data_dir=folder / "tfds").download_and_prepare()
    return folder / "tfds"


def prepare_imagenet(folder: Path) -> None:
    """imagenet2012's own builder, run on tar files in its manual_dir: folder/tfds."""
    tiny_sets.make_ilsvrc(folder, flat=True)
    manual = folder / "manual"
    manual.mkdir()
    with tarfile.open(manual / "ILSVRC2012_img_train.tar", "w") as train:
        for synset in tiny_sets.SYNSETS:
            with tarfile.open(folder / f"{synset}.tar", "w") as tar:
                for path in sorted((folder / "train" / synset).iterdir()):
                    tar.add(path, arcname=path.name)
            train.add(folder / f"{synset}.tar", arcname=f"{synset}.tar")
    with tarfile.open(manual / "ILSVRC2012_img_val.tar", "w") as tar:
        for path in sorted((folder / "val").iterdir()):
            tar.add(path, arcname=path.name)
    builder = tfds.builder("imagenet2012", data_dir=folder / "tfds")
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=manual)
    )
