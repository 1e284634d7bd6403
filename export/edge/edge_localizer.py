"""Runs an exported .tflite file: what a picture shows, and where.

Copy this one file; it needs ai-edge-litert, numpy and pillow, nothing else.

  localizer = EdgeLocalizer("localizer_int8.tflite")
  found = localizer.localize(Image.open("photo.jpg"))
  print(found.class_name, found.score, found.box)
"""

import dataclasses
import json
import zipfile
import zlib

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

FORMAT = "bas_tf localizer 1"
EXPORT_AGAIN = "export it again with `python -m export.tflite`"
INPUTS = {"images"}
OUTPUTS = {"class_ids", "scores", "boxes", "degenerate", "localization_map"}
# What an archive that is cut off, changed or not there raises.
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError)


@dataclasses.dataclass(frozen=True)
class Localization:
    """What the network found in one frame.

    Attributes:
      class_name: the best class.
      score: its softmax, in [0, 1].
      top: (class name, score) of the best five (or all, if fewer), best first.
      box: x0, y0, x1, y1 in pixels of the frame as it was given, half-open.
      degenerate: the map says nothing (it is constant); the box is the whole frame.
      localization_map: float32 [h, w] in [0, 1], covers the whole frame.
    """

    class_name: str
    score: float
    top: tuple[tuple[str, float], ...]
    box: tuple[float, float, float, float]
    degenerate: bool
    localization_map: np.ndarray


class EdgeLocalizer:
    """An exported localizer, ready to run. One thread at a time may call it.

    Args:
      path: a .tflite file written by `python -m export.tflite`; class names and
        settings are read from the zip archive at its end.
      num_threads: threads of the network; more than the device has big cores slows.

    Raises:
      ValueError: the file is missing, cut off, or none that this class reads; one
        line that names it.
    """

    def __init__(self, path, num_threads: int = 2):
        if num_threads < 1:
            raise ValueError(f"num_threads is {num_threads}; give at least 1")
        self.labels, self.settings = read_labels_and_settings(path)
        try:
            interpreter = Interpreter(model_path=str(path), num_threads=num_threads)
            self._run = interpreter.get_signature_runner("serving_default")
        except (ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise ValueError(
                f"{path}: not a localizer's network ({reason}); {EXPORT_AGAIN}"
            ) from error
        inputs = self._run.get_input_details()
        outputs = self._run.get_output_details()
        if set(inputs) != INPUTS or not set(outputs) >= OUTPUTS:
            raise ValueError(
                f"{path}: takes {', '.join(sorted(inputs))} and gives "
                f"{', '.join(sorted(outputs))}; this class runs the full network,"
                f" which takes images and gives {', '.join(sorted(OUTPUTS))}"
            )
        self._dtype = inputs["images"]["dtype"]
        _, height, width, _ = map(int, inputs["images"]["shape_signature"])
        self._size_wh = None if -1 in (width, height) else (width, height)  # None: any

    def localize(self, frame: np.ndarray | Image.Image) -> Localization:
        """Names and boxes the object of one frame of any size.

        Args:
          frame: uint8 [height, width, 3] RGB, or a Pillow image of 8 bits a channel;
            it is taken as it lies, without EXIF rotation.

        Raises:
          ValueError: a frame of another type or shape.
        """
        picture = _as_picture(frame)
        size_wh = self._size_wh or picture.size
        # The whole frame, aspect not kept, antialiased: as the network was trained.
        resized = picture.resize(size_wh, Image.BILINEAR)
        pixels = np.asarray(resized, np.int16)[np.newaxis]
        if self._dtype == np.int8:
            pixels = pixels - 128
        outputs = self._run(images=pixels.astype(self._dtype))
        outputs = {name: value[0] for name, value in outputs.items()}
        frame_wh = np.tile(picture.size, 2)
        box = outputs["boxes"] * frame_wh / np.tile(size_wh, 2)
        names = [self.labels[int(i)] for i in outputs["class_ids"]]
        top = tuple(zip(names, map(float, outputs["scores"]), strict=True))
        return Localization(
            *top[0],
            top=top,
            box=tuple(map(float, np.clip(box, 0, frame_wh))),
            degenerate=bool(outputs["degenerate"]),
            localization_map=outputs["localization_map"][..., 0],
        )


def read_labels_and_settings(path) -> tuple[list[str], dict]:
    """Class names in the order of class ids, and what the exporter says of the file.

    Raises:
      ValueError: no such file, no archive at its end, or one of another format.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            labels = archive.read("labels.txt").decode().removesuffix("\n").split("\n")
            settings = json.loads(archive.read("bas_tf.json"))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; name a .tflite file") from error
    except UNREADABLE as error:
        raise ValueError(
            f"{path}: no class names at its end (cut off, or no exported localizer); "
            + EXPORT_AGAIN
        ) from error
    found = settings.get("format") if isinstance(settings, dict) else settings
    if found != FORMAT:
        raise ValueError(
            f"{path}: its format is {found!r}, this file reads {FORMAT!r}; "
            + EXPORT_AGAIN
        )
    if labels != settings.get("class_names"):
        raise ValueError(
            f"{path}: labels.txt and bas_tf.json in it name other classes; "
            + EXPORT_AGAIN
        )
    return labels, settings


def _as_picture(frame) -> Image.Image:
    if isinstance(frame, Image.Image):
        if frame.mode.startswith(("I", "F")):
            raise ValueError(f"a frame of mode {frame.mode}; give 8 bits a channel")
        return frame.convert("RGB")
    frame = np.asarray(frame)
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        found = f"{frame.dtype} {list(frame.shape)}"
        raise ValueError(f"a frame of {found}; give uint8 [height, width, 3] RGB")
    if 0 in frame.shape:
        raise ValueError(f"a frame of {list(frame.shape)}; give at least one pixel")
    return Image.fromarray(frame)
