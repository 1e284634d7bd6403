r"""Shows why activation, not cross-entropy, finds whole objects (paper, figure 1).

  python -m bas_tf.analyze_activation --model=runs/demo --config=configs/demo.py \
      --split=val --output=analysis

Erodes and dilates the true masks of a split to many areas, masks the features of a
trained classifier with them, and records the cross-entropy, activation and background
activation of the true class. --model takes a training workdir. In a mask, 255 is the
object; 128 (ignore) counts as background.

Writes activation.png and activation.json to --output:
  model, config, split    what was analyzed
  num_images              images with masks
  num_left_out            of those, not in the normalized curves and saturation shares:
  num_without_boundary      the object fills the crop or is not in it (in no figure)
  num_unknown               the whole image is misclassified; they are kept if there
                            are no others
  num_flat                  one of the curves is flat (may also be unknown)
  shares                  mask area / object area, from 0 to the whole image
  cross_entropy, activation, background_activation
                          mean, std, quartile_1, median, quartile_3 over images at
                          each share; normalized: the same for the fraction of each
                          image's own range that is lost or (activation) gained
  saturation              cross_entropy_95, activation_95, background_activation_95:
                          the smallest share at which the mean normalized curve has
                          covered 95 % of its range, null if it never does;
                          per_image: the spread of each image's own share
"""

from pathlib import Path

from absl import flags

from bas_tf import entry_point


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    from bas_tf.analysis import activation_analysis
    from bas_tf.jobs import output_check

    output, config = Path(flags.FLAGS.output), entry_point.config()
    output_check.check_outputs(
        [
            output / activation_analysis.JSON_FILE,
            output / activation_analysis.PLOT_FILE,
        ],
        models=[flags.FLAGS.model],
        config=config,
        splits=[flags.FLAGS.split],
        others=[entry_point.config_file()],
    )
    document = activation_analysis.analyze_model(
        flags.FLAGS.model,
        config,
        split=flags.FLAGS.split,
        config_name=entry_point.config_name(),
        max_images=flags.FLAGS.max_images,
    )
    activation_analysis.write_results(document, output)
    print(activation_analysis.describe(document))


if __name__ == "__main__":
    entry_point.define_config_flag()
    entry_point.define_path("model", None, "A training workdir.", required=True)
    flags.DEFINE_string("split", "val", "The split whose masks are used.")
    entry_point.define_path("output", None, "The folder to write.", required=True)
    flags.DEFINE_integer(
        "max_images", None, "At most this many images, evenly spaced.", lower_bound=1
    )
    entry_point.run(main)
