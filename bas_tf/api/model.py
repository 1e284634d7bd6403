"""A trained model in Python: load, localize, annotate, evaluate, export.

Its errors are ValueErrors (`errors.UserError`) that name its own arguments.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from bas_tf.api import arguments
from bas_tf.api.answers import Evaluation, FoundClass, Localization
from bas_tf.api.arguments import Photo
from bas_tf.errors import UserError, check_choice


class Model:
    """A trained localizer: a workdir, a .tflite or .onnx file or a SavedModel.

    Attributes:
      path: where it lies.
      class_names: in the order of class ids.
    """

    def __init__(self, path: str | Path, *, views: str = ""):
        from bas_tf.jobs import experiment

        self.path = Path(path).expanduser()
        own_names = {"--model": "path", "eval.views": "views"}
        with arguments.own_arguments(own_names):
            self._loaded = self.path
            if (self.path / experiment.CONFIG_FILE).is_file():
                self._loaded = experiment.load_experiment(self.path)
            self._runner = experiment.load_runner(self._loaded, views=views)
        self.class_names = self._runner.class_names

    def __repr__(self) -> str:
        return f"bas_tf.load({str(self.path)!r})  # {len(self.class_names)} classes"

    @property
    def keras_model(self):
        """The trained `Localizer`, a keras.Model; workdirs only."""
        return self._workdir("keras_model").trained[0]

    def localize(
        self,
        photos: Photo | Sequence[Photo],
        *,
        refine: str = "none",
        boxes: str = "one",
    ) -> Localization | list[Localization]:
        """Finds the object of a photo, or of each of a list.

        Args:
          photos: paths, PIL images or uint8 [height, width, 3] arrays; files and PIL
            images are turned as their EXIF says. A list is predicted in batches.
          refine: none, pamr or grabcut: masks, and boxes, that follow the colours.
          boxes: one, or all: also the boxes of all objects of the class.

        Raises:
          ValueError: a photo that cannot be read.

        >>> model = bas_tf.load("runs/demo")
        >>> found = model.localize("photo.png")
        >>> found.label in model.class_names, len(found.box), found.map.ndim
        (True, 4, 2)
        >>> len(model.localize(["photo.png", found.photo], refine="grabcut"))
        2
        """
        from bas_tf.jobs import localization
        from bas_tf.jobs.photo_batches import read_batches
        from bas_tf.refinement.refined_boxes import REFINEMENTS

        check_choice("refine", refine, REFINEMENTS)
        is_one = isinstance(photos, Photo)
        batches = read_batches([photos] if is_one else photos, arguments.pixels_of)
        found = [
            _localization(pixels, answer, self.class_names)
            for _, pixels, answer in localization.predict_photos(
                batches, self._runner, refine=refine, boxes=boxes
            )
        ]
        return found[0] if is_one else found

    def annotate(
        self,
        photos: str | Path | Sequence[str | Path],
        output: str | Path,
        format: str = "coco",
        *,
        known_labels: bool = False,
        masks: bool = False,
        refine: str = "none",
        min_confidence: float = 0.0,
        boxes: str = "one",
        margin: float | None = None,
        order: str = "photos",
    ) -> int:
        """Makes a labelled data set; the same call continues one that was stopped.

        Args:
          photos: a folder, or files and folders; they are read only.
          output: the folder that gets the data set.
          format: coco, yolo, voc, labelstudio, cvat, crops or review, see
            `bas_tf.annotate`.
          known_labels: takes each photo's class from its folder's name.
          masks, refine, boxes: adds masks, whose boxes are taken; refines, and takes
            one box or all, as `localize`.
          min_confidence: photos whose box has less get no object.
          margin: of crops: what share of a box is added on each side; 0.1 if None.
          order: photos, or confidence: the least certain first.

        Returns:
          How many photos it has; others are logged.

        Raises:
          ValueError: a mistake in an argument, or no readable photo.

        >>> bas_tf.load("runs/demo").annotate(["photo.png"], "annotated")
        1
        """
        from bas_tf.annotation import run
        from bas_tf.annotation.settings import Settings

        chosen = [photos] if isinstance(photos, str | Path) else photos
        own_names = {"--known_labels": "known_labels", "--output": "output"}
        with arguments.own_arguments(own_names):
            settings = Settings(
                data_format=format, known_labels=known_labels, with_masks=masks,
                refine=refine, min_confidence=min_confidence, boxes=boxes,
                margin=margin, order=order,
            )  # fmt: skip
            return run.annotate_photos(
                self.path, [Path(photo).expanduser() for photo in chosen],
                Path(output).expanduser(), settings, load=lambda: self._runner,
            )[0]  # fmt: skip

    def evaluate(
        self,
        photos: str | Path | None = None,
        split: str = "val",
        *,
        config: str | None = None,
        protocol: str = "bas",
        **overrides,
    ) -> Evaluation:
        """Measures it on a split by a localization protocol.

        Args:
          photos: a folder of photos, see `train`; None takes the data of the config.
          split: the split.
          config: for an exported file: the config it was trained by, as `train` takes
            it. A workdir has its own.
          protocol: bas, maxboxacc or pxap.
          **overrides: keys of the config, as `train` takes them.

        Raises:
          ValueError: a mistake in an argument or in the data.

        >>> figures = bas_tf.load("runs/demo").evaluate(split="val")
        >>> 0 <= figures["gt_known_loc"] <= 1, "mean_iou" in figures
        (True, True)
        """
        from bas_tf.jobs import evaluation, experiment, results

        if config is not None:
            settings, name = arguments.read_config(config), config
        elif isinstance(self._loaded, experiment.Experiment):
            settings = self._loaded.config.copy_and_resolve_references()
            name = str(self.path)
        else:
            raise UserError("config is None; an exported file needs that of its model")
        arguments.set_keys(settings, photos, overrides)
        with arguments.own_arguments({"data.root": "photos", "--protocol": "protocol"}):
            evaluated = evaluation.evaluate_model(
                self.path, settings, split=split, config_name=name, protocol=protocol
            )
        return Evaluation(evaluated.document, results.describe(evaluated))

    def export(
        self,
        output: str | Path,
        formats: Iterable[str] = ("tflite_int8",),
        *,
        photos: str | Path | None = None,
    ) -> list[Path]:
        """Writes it to files; workdirs only.

        Args:
          output: the folder that gets them.
          formats: tflite_float32, tflite_float16, tflite_dynamic, tflite_int8,
            saved_model, onnx.
          photos: int8's calibration images, where they have been moved.

        Returns:
          The files and folders written, one for each format.

        Raises:
          ValueError: an unknown format, an output that cannot be written, or no
            calibration images.

        >>> bas_tf.load("runs/demo").export("exported", ["onnx"])
        [PosixPath('exported/localizer.onnx')]
        """
        from bas_tf.export import formats as export_formats

        workdir = self._workdir("export")
        names = [formats] if isinstance(formats, str) else list(formats)
        with arguments.own_arguments(
            {"format is": "formats has", "data.root": "photos", "--output": "output"}
        ):
            return export_formats.export_formats(
                workdir,
                Path(output).expanduser(),
                [name.removeprefix("tflite_") for name in names],
                data_root=None if photos is None else str(Path(photos).expanduser()),
            )

    def _workdir(self, what: str):
        from bas_tf.jobs import experiment

        if not isinstance(self._loaded, experiment.Experiment):
            raise UserError(f"path={self.path}: {what} needs a training workdir")
        return self._loaded


def load(path: str | Path, *, views: str = "") -> Model:
    """A trained model: a workdir, a .tflite or .onnx file, or a SavedModel folder.

    Args:
      path: where it lies.
      views: what `localize` averages a workdir's maps over: widths of the network's
        input, and mirror images, as "160,224,flip". Each costs a pass.

    Raises:
      ValueError: nothing there that could be run, or not with those views.

    >>> bas_tf.load("runs/demo")
    bas_tf.load('runs/demo')  # 8 classes
    """
    return Model(path, views=views)


def from_preset(path: str | Path):
    """The trained network as a keras.Model, for further use or training.

    Called on images [batch, height, width, 3] in 0..255, it gives features, class maps,
    scores before the softmax and maps by name, see `bas_tf.names`.

    Args:
      path: a workdir, or a file that `Localizer.save` wrote (.keras).

    Raises:
      ValueError: neither of the two.

    >>> network = bas_tf.from_preset("runs/demo")
    >>> sorted(network(np.zeros([1, 64, 64, 3])))
    ['cam', 'class_maps', 'features', 'localization_map', 'logits']
    """
    import keras

    from bas_tf.models.localizer import Localizer

    if Path(path).suffix == ".keras":
        objects = {"Localizer": Localizer}
        return keras.saving.load_model(Path(path).expanduser(), custom_objects=objects)
    return Model(path).keras_model


def _localization(photo, answer, class_names) -> Localization:
    from bas_tf import names
    from bas_tf.jobs import localization
    from bas_tf.refinement.masks import from_run_lengths

    row = localization.row_of(photo, answer, class_names)
    found = row.get("objects", [{"box": row["box"], "score": 1.0}])
    return Localization(
        label=row["class"],
        score=row["score"],
        box=tuple(row["box"]),
        map=answer[names.LOCALIZATION_MAP],
        **{key: row[key] for key in ("degenerate", "confidence", "found")},
        mask=answer.get(localization.MASK),
        photo=photo,
        boxes=tuple(tuple(each["box"]) for each in found),
        box_scores=tuple(each["score"] for each in found),
        classes=tuple(
            FoundClass(
                each["class"], tuple(each["box"]), from_run_lengths(each["mask_rle"])
            )
            for each in row.get("classes", [])
        ),
    )
