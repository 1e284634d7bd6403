r"""Writes masks of the training photos, by a trained localizer and their colours.

  python -m bas_tf.refine --workdir=runs/photos --config=own.py --output=masks
  python -m bas_tf.train --config=own.py --config.data.pseudo_masks=masks \
      --config.model.weights=runs/photos --config.train.classifier_epochs=0 \
      --workdir=runs/tighter

No true box and no true mask is looked at. A photo whose map and colours disagree gets
no mask. Boxes that a person has corrected (--config.data.corrected_boxes=FILE) bound
the masks of their photos. An interrupted command continues where it stopped.
`train.self_training_rounds` does both commands within one training.
"""

from pathlib import Path

from absl import flags

from bas_tf import entry_point


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    from bas_tf.self_training import teacher_masks

    output = Path(flags.FLAGS.output)
    counts = teacher_masks.write_masks(
        Path(flags.FLAGS.workdir),
        entry_point.config(),
        output,
        on_bad_image=flags.FLAGS.on_bad_image,
    )
    print(
        f"{output}: {counts['masks']} masks of {counts['photos']} photos; "
        f"{counts['disagree']} left out, their maps and colours disagree"
    )


if __name__ == "__main__":
    entry_point.define_config_flag()
    entry_point.define_bad_image_flag()
    entry_point.define_path(
        "workdir", None, "The teacher: a --workdir of bas_tf.train.", required=True
    )
    entry_point.define_path("output", None, "The folder to write.", required=True)
    entry_point.run(main)
