"""Archives of data sets, unpacked once next to themselves."""

import tarfile
import tempfile
from pathlib import Path

from absl import logging

from bas_tf.data.records import DataError


def unpacked(archive: Path, folder_name: str) -> Path:
    """The folder of an archive, next to it, as `tar -xf` would leave it.

    A compressed archive can only be read from its start, so images are read from an
    unpacked copy. It appears whole or not at all.

    Args:
      archive: a tar file, compressed or not.
      folder_name: the top folder in it that is wanted; other members are left out.

    Returns:
      The folder, which may have been there already.

    Raises:
      DataError: no archive, a damaged one, one without that folder, or no room.
    """
    target = archive.parent / folder_name
    if target.is_dir():
        return target
    logging.info("%s: unpacking to %s, once", archive, target)
    try:
        with (
            tempfile.TemporaryDirectory(
                dir=archive.parent, prefix=".unpack"
            ) as partial,
            tarfile.open(archive) as tar,
        ):
            wanted = [m for m in tar if m.name.split("/")[0] == folder_name]
            tar.extractall(partial, wanted, filter="data")
            if not (Path(partial) / folder_name).is_dir():
                raise DataError(f"{archive}: has no folder {folder_name}/ in it")
            (Path(partial) / folder_name).rename(target)
    except (tarfile.TarError, EOFError, OSError) as error:
        if target.is_dir():  # another process was faster
            return target
        raise DataError(
            f"{archive}: cannot be unpacked next to itself ({error}); "
            f"unpack it yourself and name the folder {folder_name}"
        ) from error
    return target
