"""The table of sources."""

from collections.abc import Callable, Sequence
from pathlib import Path

from bas_tf.data.drawings.source import SyntheticSource
from bas_tf.data.records import DataError, Source
from bas_tf.data.sources.coco2014 import Coco2014Source
from bas_tf.data.sources.cub import CubSource
from bas_tf.data.sources.fgvc_aircraft import FgvcAircraftSource
from bas_tf.data.sources.folder import LABELS, FolderSource
from bas_tf.data.sources.ilsvrc import IlsvrcSource
from bas_tf.data.sources.open_images30k import OpenImages30kSource
from bas_tf.data.sources.shards import TABLE, ShardSource
from bas_tf.data.sources.stanford_cars import StanfordCarsSource
from bas_tf.data.sources.stanford_dogs import StanfordDogsSource
from bas_tf.data.sources.tfds_source import TfdsSource
from bas_tf.data.sources.voc2012 import Voc2012Source

TFDS = "tfds:"
FOLDER_INPUTS = ("train", "val", "test", "masks")  # of source "folder"


def _synthetic(*, image_size, num_images, class_names=None, **options) -> Source:
    keys = (
        "seed", "objects_per_image", "object_overlap", "classes_per_image", "none_every"
    )  # fmt: skip
    source = SyntheticSource(
        image_size=tuple(image_size),
        num_images=dict(num_images),
        **{key: options[key] for key in keys if key in options},
    )
    if class_names and tuple(class_names) != source.class_names:
        raise DataError(
            f"data.source is 'synthetic' with classes {source.class_names}; "
            f"the model was trained on {tuple(class_names)}"
        )
    return source


def _at_root(
    source: Callable[..., Source], content: str, *keys: str
) -> Callable[..., Source]:
    """Opens a source that needs its data.root and takes some other keys."""

    def open_source(*, root, class_names=None, **options) -> Source:
        if not root:
            raise DataError(f"data.root is empty: name the folder that holds {content}")
        known = {key: options[key] for key in keys if key in options}
        return source(root=root, class_names=class_names, **known)

    return open_source


SOURCES = {
    "folder": _at_root(FolderSource, "train/ and val/", "rescale_boxes", "on_fault"),
    "synthetic": _synthetic,
    "cub": _at_root(CubSource, "CUB_200_2011/, or CUB_200_2011.tgz"),
    "ilsvrc": _at_root(IlsvrcSource, "train/ and val/"),
    "open_images30k": _at_root(OpenImages30kSource, "train/, val/ and test/"),
    "stanford_cars": _at_root(StanfordCarsSource, "devkit/ or cars_annos.mat"),
    "stanford_dogs": _at_root(StanfordDogsSource, "train_list.mat and Images/"),
    "fgvc_aircraft": _at_root(FgvcAircraftSource, "variants.txt and images/"),
    "voc2012": _at_root(Voc2012Source, "VOCdevkit/"),
    "coco2014": _at_root(Coco2014Source, "annotations/, train2014/ and val2014/"),
    "shards": _at_root(ShardSource, TABLE),
}


def source_inputs(name: str, root: str, *splits: str) -> list[Path]:
    """Files and folders that a source reads, of other splits than the usual too.

    Next to the photos of source `folder`, results may lie in its root.
    """
    if name != "folder" or not root:
        return [Path(root)] if root else []
    places = [Path(root, name) for name in (*FOLDER_INPUTS, *splits)]
    if not Path(root, "train").is_dir():  # its folders are classes, see `folder`
        places += [path for path in Path(root).glob("*") if path.is_dir()]
    return [*places, *Path(root).glob("boxes*"), *Path(root).glob(LABELS)]


def check_has_split(source: Source, split: str) -> None:
    """Raises the source's DataError for a split that is not there; opens no other."""
    if split not in source.splits:
        source.records(split)


def load_source(
    name: str, *, class_names: Sequence[str] | None = None, **options
) -> Source:
    """Opens a source by name.

    Args:
      name: a key of SOURCES, or tfds:NAME.
      class_names: the classes a trained model knows, in its order; None reads them
        from the source.
      **options: the rest of a config's `data` group; each source takes what it knows.

    Raises:
      DataError: unknown name, or whatever the source finds wrong.
    """
    if name.startswith(TFDS):
        return TfdsSource(
            name=name.removeprefix(TFDS),
            data_dir=options["root"],
            class_names=class_names,
        )
    if name not in SOURCES:
        known = [*sorted(SOURCES), f"{TFDS}NAME"]
        raise DataError(f"data.source is {name!r}; known: {', '.join(known)}")
    return SOURCES[name](class_names=class_names, **options)
