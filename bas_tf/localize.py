"""Localizes the object in photos: overlay PNGs and predictions.json.

  python -m bas_tf.localize --model=runs/demo --output=DIR PHOTO [PHOTO...]

A PHOTO is a file or a folder, of which all photos are taken; names that begin with a
dash go after `--`. DIR gets PHOTO_localized.png for each, and PHOTO_mask.png with
--refine=grabcut, which tightens the box. --boxes=all draws a box around each of
several objects and lists them as "objects". No label is needed; --class localizes a
given one (workdirs only). A box with less than --min_confidence is not drawn, and
`found` is false in predictions.json, which has it all the same. Exit code 2 also when
some photos could not be read: they are named, and the others are done.
"""

import sys
from pathlib import Path

from absl import flags

from bas_tf import box_flags, entry_point
from bas_tf.errors import UserError


def main(args: list[str]) -> None:
    if not args:
        raise UserError("no PHOTO given; see --help")
    from bas_tf.data import photo_files
    from bas_tf.jobs import localization
    from bas_tf.metrics.confidence import FOUND_CONFIDENCE

    output = Path(flags.FLAGS.output)
    paths = photo_files.find_photos(args, output=output)
    least = flags.FLAGS.min_confidence
    rows = localization.localize_photos(
        flags.FLAGS.model,
        paths,
        output,
        class_name=flags.FLAGS["class"].value,
        refine=flags.FLAGS.refine or "none",
        views=flags.FLAGS.views or "",
        min_confidence=FOUND_CONFIDENCE if least is None else least,
        boxes=flags.FLAGS.boxes,
    )
    print(f"{output}: {len(rows)} overlays and {localization.PREDICTIONS_FILE}")
    if missing := len(paths) - len(rows):
        print(f"error: {missing} of {len(paths)} photos not read", file=sys.stderr)
        sys.exit(entry_point.EXIT_USER_ERROR)


if __name__ == "__main__":
    box_flags.define_model_flag()
    entry_point.define_path("output", None, "The folder to write to.", required=True)
    flags.DEFINE_string("class", None, "Localize this class, predicted or not.")
    box_flags.define_refine_flag()
    box_flags.define_views_flag()
    box_flags.define_min_confidence_flag("that of `found`, see docs/own_photos.md")
    box_flags.define_boxes_flag()
    entry_point.run(main)
