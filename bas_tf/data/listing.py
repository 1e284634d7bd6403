"""Lists folders, ignoring what systems and tools leave in them."""

import os
from pathlib import Path

from bas_tf.data import decode
from bas_tf.data.annotations.annotation_files import nfc, wrong_layout
from bas_tf.data.records import DataError, OnFault, raise_fault

_LEFT_BEHIND = (
    "thumbs.db", "desktop.ini", "__macosx", "__pycache__", "lost+found",
    "@eadir", "@recycle", "#recycle", "$recycle.bin", "system volume information",
)  # fmt: skip


def is_hidden(name: str) -> bool:
    """Whether an entry is no data: `.ipynb_checkpoints`, `._0.jpg`, `Thumbs.db`, …"""
    return name.startswith((".", "~$")) or name.lower() in _LEFT_BEHIND


def visible_entries(folder: str | Path, on_fault: OnFault = raise_fault) -> list[str]:
    """Sorted names of what is not hidden in a folder; none where it is absent.

    `on_fault` gets the DataError of a folder that cannot be read.
    """
    try:
        return sorted(name for name in os.listdir(folder) if not is_hidden(name))
    except FileNotFoundError:
        return []
    except OSError as error:
        on_fault(DataError(f"{folder}: cannot be read ({error.strerror})"))
        return []


def folders_in(folder: str | Path) -> list[str]:
    """Sorted names of the visible folders in a folder; errors as `visible_entries`."""
    return [n for n in visible_entries(folder) if os.path.isdir(Path(folder, n))]


def images_of(folder: Path, on_fault: OnFault = raise_fault) -> list[str]:
    """Sorted names of the photos in a class folder; errors as `visible_entries`."""
    return [
        name
        for name in visible_entries(folder, on_fault)
        if is_image(name) and not os.path.isdir(folder / name)
    ]


def is_image(name: str) -> bool:
    """Whether a file's name ends as a photo's does."""
    return name.lower().endswith(decode.EXTENSIONS)


def class_folders(folder: Path, on_fault: OnFault = raise_fault) -> list[str]:
    """Sorted names of the folders in a split.

    `on_fault` gets the DataError of a name that is not UTF-8, which is left out, and of
    two names that differ in Unicode form only.

    Raises:
      DataError: the folder cannot be read, or there are none in it.
    """
    if not os.path.isdir(folder):
        raise DataError(f"{folder}: no such folder; class names are read from it")
    names = folders_in(folder)
    if not names:
        raise wrong_layout(folder, f"class folders, {folder}/<class>/")
    seen: dict[str, str] = {}
    for name in names:
        twin = seen.setdefault(nfc(name), name)
        if not _is_utf8(name):
            error = (
                f"{folder}: the class folder {name!r} has a name that is not UTF-8, "
                "which exported files could not tell; rename it in every split"
            )
            on_fault(DataError(error))
        elif twin != name:
            error = (
                f"{folder}: the class folders {ascii(twin)} and {ascii(name)} differ "
                "in Unicode form only; put their photos into one of them"
            )
            on_fault(DataError(error))
    return list(filter(_is_utf8, names))


def unread_files(
    split_folder: Path, on_fault: OnFault = raise_fault
) -> list[tuple[str, str]]:
    """(<class>/<name>, why) of the visible entries of class folders that are skipped.

    Errors as `visible_entries`.
    """
    return [
        (f"{class_name}/{name}", reason)
        for class_name in visible_entries(split_folder, on_fault)
        if os.path.isdir(split_folder / class_name)
        for name in visible_entries(split_folder / class_name, on_fault)
        if (reason := _why_unread(split_folder / class_name / name))
    ]


def _why_unread(path: Path) -> str:
    """Empty for a photo."""
    if os.path.isdir(path):
        return "a folder within a class folder"
    return "" if is_image(path.name) else "not a photo by its ending"


def _is_utf8(name: str) -> bool:
    """False for a file's name that Python can keep but no text can hold."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
