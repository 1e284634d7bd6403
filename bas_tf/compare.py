"""Compares runs side by side: one table, and one page of their maps.

  python -m bas_tf.compare RUN RUN [RUN...] --output=DIR

A RUN is a workdir of bas_tf.train or a metrics.json file. A file contributes only its
figures. Models of workdirs are also run, all on the first one's data and with its eval
settings, each at its own size and eval.score_threshold. Their figures are then over the
same images and are compared pairwise with the first one's.

Writes comparison.html (tables, maps and boxes), comparison.md (the tables) and
comparison.json to --output:
  runs         name, path, seed; protocol, split, num_images, score_threshold,
               threshold_origin; data (identifies the images, null for a file of an
               older version); settings (config keys that differ); figures: value,
               interval_95
  groups       names of runs whose figures are comparable
  same_images  what the models were run on: protocol, split, num_images,
               num_images_with_boxes, threshold_origin; reference (the first workdir);
               rows: name, score_threshold, figures, difference (to the reference, over
               the same images: value, interval_95); images (those shown): image_id,
               class, spread (of the runs' IoUs or, without boxes, of their maps), runs
               by name: iou, box (x0, y0, x1, y1 in its crop), predicted_class, score;
               null if left out
  left_out     why
"""

from pathlib import Path

from absl import flags

from bas_tf import entry_point


def main(args: list[str]) -> None:
    from bas_tf.comparison import comparison
    from bas_tf.report import comparison_page

    document = comparison.compare_runs(
        [Path(arg) for arg in args],
        Path(flags.FLAGS.output),
        split=flags.FLAGS.split,
        data_root=flags.FLAGS.data_root,
        max_images=flags.FLAGS.images,
        on_bad_image=flags.FLAGS.on_bad_image,
    )
    print(comparison_page.markdown(document))


if __name__ == "__main__":
    entry_point.define_bad_image_flag()
    entry_point.define_path("output", None, "The folder to write.", required=True)
    flags.DEFINE_string(
        "split",
        None,
        "The split to run models on; default: the first one's eval.split.",
    )
    entry_point.define_path(
        "data_root", None, "Where the first one's data is, if it was moved."
    )
    flags.DEFINE_integer("images", 24, "Number of images on the page.", lower_bound=1)
    entry_point.run(main)
