"""Makes a labelled data set of photos, for other tools.

  python -m bas_tf.annotate --model=runs/demo --output=DIR --format=coco PHOTOS

PHOTOS are files or folders, of which all photos are taken, at any depth; they are read
only. DIR gets, for boxes in pixels of the upright photos (turned as EXIF says):

  coco         annotations.json
  yolo         images/, labels/, data.yaml
  voc          Annotations/*.xml
  labelstudio  tasks.json, labeling_config.xml
  cvat         annotations/instances_default.json (upload as COCO 1.0), labels.json
  crops        crops/<class>/: each object cut out, with a --margin
  review       review.html: a page to review the boxes, least certain first; no server

--known_labels takes each photo's class from the name of its folder, as for training
photos. --masks adds masks, and boxes become theirs; --refine=grabcut tightens both.
Photos whose box has less than --min_confidence get no object, nor do those of a model's
class _none (docs/own_photos.md).
--boxes=all adds all objects of the class. A model that labels pixels gives an object
of each class in the photo, its largest region (with --known_labels of that class
alone), and takes neither --boxes=all nor --refine.
--order=confidence puts the least certain photos first, in coco and labelstudio as in
review.
The same command goes on where it was stopped. Exit code 2 also when some photos could
not be read: they are named, and the others are done.
"""

import functools
import sys
from pathlib import Path

from absl import flags

from bas_tf import box_flags, entry_point
from bas_tf.errors import UserError


def main(args: list[str]) -> None:
    if not args:
        raise UserError("no PHOTOS given; see --help")
    from bas_tf.annotation import run
    from bas_tf.annotation.settings import Settings
    from bas_tf.jobs import experiment

    given = flags.FLAGS
    settings = Settings(
        data_format=given.format,
        known_labels=given.known_labels,
        with_masks=given.masks,
        refine=given.refine or "none",
        min_confidence=given.min_confidence or 0.0,
        boxes=given.boxes,
        margin=given.margin,
        order=given.order,
    )
    load = functools.partial(experiment.load_runner, given.model)
    count, empty, faults = run.annotate_photos(
        given.model, args, Path(given.output), settings, load=load
    )
    without = f", {empty} of them without an object" if empty else ""
    print(f"{given.output}: {count} photos as {given.format}{without}")
    if faults:
        total = count + len(faults)
        print(f"error: {len(faults)} of {total} photos not read", file=sys.stderr)
        sys.exit(entry_point.EXIT_USER_ERROR)


if __name__ == "__main__":
    box_flags.define_model_flag()
    entry_point.define_path(
        "output", None, "A new folder, or that of a run to go on with.", required=True
    )
    flags.DEFINE_enum(
        "format",
        None,
        ["coco", "yolo", "voc", "labelstudio", "cvat", "crops", "review"],
        "Whose data set, or a page for review; another one predicts nothing again.",
        required=True,
    )
    flags.DEFINE_bool("known_labels", False, "Take classes from the folders' names.")
    flags.DEFINE_bool("masks", False, "Add masks; not for voc.")
    box_flags.define_refine_flag()
    box_flags.define_min_confidence_flag("0, every photo has an object")
    box_flags.define_boxes_flag()
    flags.DEFINE_float(
        "margin",
        None,
        "By how much of its width and height a crop is larger than its box on each "
        "side. Default: 0.1. Only for crops.",
        lower_bound=0,
        upper_bound=1,
    )
    flags.DEFINE_enum(
        "order",
        "photos",
        ["photos", "confidence"],
        "confidence: the least certain photos first, in coco and labelstudio.",
    )
    entry_point.run(main)
