"""Localizes the frames of a camera, one line of JSON each.

  python -m export.edge.camera MODEL.tflite --folder=DIR
  python -m export.edge.camera MODEL.tflite --device=/dev/video0 --size=640x480

or, on the device, `python camera.py ...` next to edge_localizer.py and photo.py.

--folder takes photos as another program writes or rewrites them there, such as

  rpicam-still --timeout 0 --timelapse 500 --output DIR/%06d.jpg

A file is read when it has not changed for one look (--poll seconds); one that is no
photo is reported on standard error and skipped. --device reads a V4L2 camera through
the program ffmpeg. Ends with Ctrl-C, after --frames frames, or when the camera does.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

if __package__:
    from export.edge.edge_localizer import EdgeLocalizer
    from export.edge.photo import open_photo
else:  # a copy on a device
    from edge_localizer import EdgeLocalizer
    from photo import open_photo


def folder_frames(folder: Path, poll_seconds: float) -> Iterator[tuple]:
    """(path, photo) of each file as it appears or changes, oldest first; forever.

    Raises:
      ValueError: no such folder.
    """
    before, done = {}, {}
    while True:
        now = _stamps(folder)
        done = {path: stamp for path, stamp in done.items() if path in now}
        for path in sorted(now, key=lambda path: (now[path], path)):
            if now[path] == before.get(path) and now[path] != done.get(path):
                done[path] = now[path]
                try:
                    yield path, open_photo(path)
                except ValueError as error:
                    print(f"skipped: {error}", file=sys.stderr)
        before = now
        time.sleep(poll_seconds)


def _stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """{path: (time changed in ns, bytes)} of a folder's files."""
    stamps = {}
    try:
        paths = list(folder.iterdir())
    except OSError as error:
        raise ValueError(f"--folder={folder}: {error.strerror}") from error
    for path in paths:
        try:
            if path.is_file() and not path.name.startswith("."):
                stat = path.stat()
                stamps[str(path)] = (stat.st_mtime_ns, stat.st_size)
        except FileNotFoundError:
            pass  # taken away meanwhile
    return stamps


def device_frames(device: str, size_wh: tuple[int, int]) -> Iterator[tuple]:
    """(number, uint8 [height, width, 3]) of each frame of a V4L2 camera.

    Raises:
      ValueError: ffmpeg is missing, or it cannot read the camera.
    """
    if shutil.which("ffmpeg") is None:
        raise ValueError("--device needs the program ffmpeg: sudo apt install ffmpeg")
    size = "{}x{}".format(*size_wh)
    command = ["ffmpeg", "-nostdin", "-loglevel", "error"]
    command += ["-f", "v4l2", "-video_size", size, "-i", device]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-"]
    try:
        yield from raw_frames(command, size_wh)
    except ValueError as error:
        raise ValueError(f"--device={device}: {error}") from error


def raw_frames(command: list[str], size_wh: tuple[int, int]) -> Iterator[tuple]:
    """(number, uint8 [height, width, 3]) of what a program writes as RGB bytes.

    While a frame is looked at the program waits, and its camera drops what comes.

    Raises:
      ValueError: it failed, with the last line that it wrote on standard error.
    """
    shape = (size_wh[1], size_wh[0], 3)
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
        try:
            number = 0
            while len(content := process.stdout.read(np.prod(shape))) == np.prod(shape):
                yield number, np.frombuffer(content, np.uint8).reshape(shape)
                number += 1
            if process.wait():
                errors.seek(0)
                told = errors.read().decode(errors="replace").strip().splitlines()
                raise ValueError(f"{command[0]}: {told[-1] if told else 'failed'}")
        finally:
            process.kill()
            process.stdout.close()
            process.wait()


def print_boxes(localizer: EdgeLocalizer, frames, count: int | None) -> None:
    """A line of JSON for each frame; `count` None: until there are no more."""
    for done, (name, frame) in enumerate(frames, 1):
        start = time.perf_counter()
        found = localizer.localize(frame)
        row = {
            "frame": name,
            "class": found.class_name,
            "score": round(found.score, 4),
            "box": [round(value, 1) for value in found.box],
            "degenerate": found.degenerate,
            "seconds": round(time.perf_counter() - start, 4),
        }
        print(json.dumps(row), flush=True)
        if done == count:
            return


def _count(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: give at least 1")
    return int(text)


def _size(text: str) -> tuple[int, int]:
    width, separator, height = text.partition("x")
    if not (separator and width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text}: give WIDTHxHEIGHT, as 640x480")
    return _count(width), _count(height)


def main() -> None:
    parser = argparse.ArgumentParser(
        usage=argparse.SUPPRESS,  # an error is then one line
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help="a .tflite file")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--folder",
        type=lambda text: Path(text).expanduser(),
        help="where frames appear as files",
    )
    source.add_argument("--device", help="a V4L2 camera, such as /dev/video0")
    parser.add_argument("--size", type=_size, default=(640, 480), help="of --device")
    parser.add_argument("--poll", type=float, default=0.1, help="seconds; of --folder")
    parser.add_argument("--frames", type=_count, help="stop after so many")
    parser.add_argument("--threads", type=int, default=2, help="default: 2")
    args = parser.parse_args()
    try:
        localizer = EdgeLocalizer(args.model, args.threads)
        if args.folder:
            frames = folder_frames(args.folder, args.poll)
        else:
            frames = device_frames(args.device, args.size)
        print_boxes(localizer, frames, args.frames)
    except ValueError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
