"""The table of sources."""

from collections.abc import Sequence

from bas_tf.data.folder import FolderSource
from bas_tf.data.records import DataError, Source
from bas_tf.data.synthetic import SyntheticSource


def _synthetic(*, image_size, num_images, seed, class_names=None, **_) -> Source:
    source = SyntheticSource(
        image_size=tuple(image_size), num_images=dict(num_images), seed=seed
    )
    if class_names and tuple(class_names) != source.class_names:
        raise DataError(
            f"data.source is 'synthetic' with classes {source.class_names}; "
            f"the model was trained on {tuple(class_names)}"
        )
    return source


def _folder(*, root, class_names=None, **_) -> Source:
    if not root:
        raise DataError(
            "data.root is empty: name the folder that holds train/ and val/"
        )
    return FolderSource(root=root, class_names=class_names)


SOURCES = {"folder": _folder, "synthetic": _synthetic}


def load_source(
    name: str, *, class_names: Sequence[str] | None = None, **options
) -> Source:
    """Opens a source by name.

    Args:
      name: a key of SOURCES.
      class_names: the classes a trained model knows, in its order; None reads them
        from the source.
      **options: the rest of a config's `data` group; each source takes what it knows.

    Raises:
      DataError: unknown name, or whatever the source finds wrong.
    """
    if name not in SOURCES:
        raise DataError(f"data.source is {name!r}; known: {', '.join(sorted(SOURCES))}")
    return SOURCES[name](class_names=class_names, **options)
