"""The photos that a command's arguments name: files, and folders of them."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from bas_tf.data import decode
from bas_tf.data.listing import is_hidden, is_image
from bas_tf.errors import UserError


def find_photos(arguments: Sequence[str | Path], *, output: Path) -> list[Path]:
    """Files as they are named; of folders the photos at any depth, sorted; each once.

    Of a folder, what does not end as a photo, hidden names (`listing`) and what
    lies in `output` are left out; links to folders are not followed.

    Raises:
      UserError: an argument is missing, or a folder without photos or not readable.
    """
    found: list[Path] = []
    for path in map(Path, arguments):
        if path.is_dir():
            photos = list(_photos_in(path, output))
            if not photos:
                endings = ", ".join(decode.EXTENSIONS)
                raise UserError(f"{path}: no photo in it; looked for {endings}")
            found += photos
        elif path.exists():
            found.append(path)
        else:
            raise UserError(f"{path}: no such file or folder")
    return list(dict.fromkeys(found))


def _photos_in(folder: Path, output: Path) -> Iterator[Path]:
    def stop(error: OSError):
        raise UserError(f"{error.filename}: cannot be read ({error.strerror})")

    left_out = os.path.realpath(output)
    for place, folders, names in os.walk(folder, onerror=stop):
        folders[:] = sorted(
            name
            for name in folders
            if not is_hidden(name)
            and os.path.realpath(os.path.join(place, name)) != left_out
        )
        for name in sorted(names):
            if is_image(name) and not is_hidden(name):
                yield Path(place, name)
