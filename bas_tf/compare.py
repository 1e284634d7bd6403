"""Sets runs side by side: one table, and one page of their maps.

  python -m bas_tf.compare RUN RUN [RUN...] --output=DIR

A RUN is a workdir of bas_tf.train or a metrics.json file. A file gives its figures
alone. Of workdirs the models are run as well: all on the images of the first one's
data and by its eval group, each at its own size and eval.score_threshold. So their
figures are of the same images and are compared pairwise with the first one's.

--output gets comparison.html (tables, maps and boxes), comparison.md (the tables) and
comparison.json:
  runs         name, path, seed; protocol, split, num_images, score_threshold,
               threshold_origin; data (what says which images, null of a file of an
               older version); settings (keys of the config that differ); figures:
               value, interval_95
  groups       names of runs whose figures may stand in one table
  same_images  what the models were run on: protocol, split, num_images,
               num_images_with_boxes, threshold_origin; reference (the first workdir);
               rows: name, score_threshold, figures, difference (to the reference, over
               the same images: value, interval_95); images (those shown): image_id,
               class, spread (of the runs' IoUs, without any boxes of their maps), runs
               by name: iou, box (x0, y0, x1, y1 in its crop), predicted_class, score;
               null where it was left out
  left_out     why it was
"""

from pathlib import Path

from absl import flags

from bas_tf import entry_point


def main(args: list[str]) -> None:
    from bas_tf.jobs import comparison
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
        "split", None, "The split to run models on; else the first one's eval.split."
    )
    entry_point.define_path(
        "data_root", None, "Where the first one's data lies, if it has been moved."
    )
    flags.DEFINE_integer("images", 24, "Images on the page.", lower_bound=1)
    entry_point.run(main)
