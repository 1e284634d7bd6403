r"""Writes masks of photos, by a trained localizer and their colours.

  python -m bas_tf.refine --workdir=runs/photos --config=own.py --output=masks
  python -m bas_tf.train --config=own.py --config.data.pseudo_masks=masks \
      --config.model.weights=runs/photos --config.train.classifier_epochs=0 \
      --workdir=runs/tighter

Of the training photos. No true box and no true mask is looked at. A photo whose map and
colours disagree gets no mask. Boxes that a person has corrected
(--config.data.corrected_boxes=FILE) bound the masks of their photos.
`train.self_training_rounds` does both commands within one training.

A workdir that was trained with loss.classification "multilabel" writes label maps
instead, 0 for background and k + 1 for class k, and measures them where the data has
true masks of the classes:

  python -m bas_tf.refine --workdir=runs/several --config=drawings_multilabel \
      --split=val --labels=predicted --output=labels

With model.map_outputs "softmax", as train.self_training_rounds makes of such a workdir,
a pixel takes the highest of the labels and background: of the photo's with
--labels=true, of all with predicted, averaged over --config.eval.views.

An interrupted command continues where it stopped.
"""

from pathlib import Path

from absl import flags

from bas_tf import entry_point
from bas_tf.errors import UserError

LABEL_MAP_FLAGS = ("split", "labels", "maps", "refine", "threshold")


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    from bas_tf.jobs import experiment

    given = flags.FLAGS
    teacher = experiment.load_experiment(given.workdir)
    output, options = Path(given.output), {"on_bad_image": given.on_bad_image}
    if teacher.config.loss.classification == "multilabel":
        from bas_tf.segmentation import seed_files
        from bas_tf.segmentation.choices import choices_for

        chosen = {name: given[name].value for name in LABEL_MAP_FLAGS}
        config = entry_point.config()
        choices = choices_for(teacher, config, **chosen)
        figures = seed_files.write_label_maps(
            teacher, config, output, choices, **options
        )
        print(f"{output}: {seed_files.describe(figures)}")
        return
    if unfit := [name for name in LABEL_MAP_FLAGS if given[name].present]:
        raise UserError(
            f"--{unfit[0]} is for a workdir trained with loss.classification "
            f"'multilabel'; {given.workdir} is not: leave it out"
        )
    from bas_tf.self_training import teacher_masks

    counts = teacher_masks.write_masks(teacher, entry_point.config(), output, **options)
    print(
        f"{output}: {counts['masks']} masks of {counts['photos']} photos; "
        f"{counts['disagree']} left out, their maps and colours disagree"
    )


def define_label_map_flags() -> None:
    """Defines LABEL_MAP_FLAGS."""
    several = "Workdirs of several classes a photo:"
    flags.DEFINE_string("split", "train", f"{several} whose photos.")
    flags.DEFINE_enum(
        "labels",
        "true",
        ["true", "predicted"],
        f"{several} which classes are mapped. predicted: those with a score above 0, "
        "or the best one; with a softmax of maps all.",
    )
    flags.DEFINE_enum(
        "maps",
        "bas",
        ["bas", "cam", "both"],
        f"{several} foreground maps, class activation maps, or their sum.",
    )
    flags.DEFINE_enum(
        "refine",
        "none",
        ["none", "crf", "walk"],
        f"{several} crf for labels that follow the colours (dense CRF); walk for maps "
        "spread up to learnt edges, by a network that is trained first, on the maps of "
        "split train (IRN).",
    )
    flags.DEFINE_string(
        "threshold",
        None,
        f"{several} a map's value, in (0, 1), up to which it is background; val "
        "chooses it by the true masks of split val. Default: the training's "
        "eval.score_threshold; none with a softmax of maps. With walk, of the labels "
        "that the edges are learnt from.",
    )


if __name__ == "__main__":
    entry_point.define_config_flag()
    entry_point.define_bad_image_flag()
    entry_point.define_path(
        "workdir", None, "A --workdir of bas_tf.train.", required=True
    )
    entry_point.define_path("output", None, "The folder to write.", required=True)
    define_label_map_flags()
    entry_point.run(main)
