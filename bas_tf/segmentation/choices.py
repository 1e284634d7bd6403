"""What label maps are made of, as the flags of bas_tf.refine say, and its checks."""

import dataclasses

from bas_tf.errors import UserError
from bas_tf.jobs import experiment

FROM_VAL = "val"
HIGHEST = "highest"  # of a network with a softmax of maps
WALK = "walk"
CONFIDENT = "confident"  # what the edges of WALK are learnt from
MAX_CLASSES = 253  # 0 is background, 255 unsure


@dataclasses.dataclass(frozen=True)
class Choices:
    """What label maps are made of.

    Attributes:
      split: of the data.
      labels, maps: see `label_maps.make_seeds_fn`.
      refine: see `label_maps.label_map`; or WALK, see `seed_files`.
      threshold: a number in (0, 1), or FROM_VAL for the one of SWEEP with the
        highest mean IoU on split val, before `refine`. HIGHEST for a network with a
        softmax of maps, whose pixels take the highest of the labels and background.
      views: of such a network, see `refinement.views`; the others have their own.
    """

    split: str
    labels: str
    maps: str
    refine: str
    threshold: str
    views: str = ""


def choices_for(
    teacher: experiment.Experiment, config, *, threshold: str | None = None, **chosen
) -> Choices:
    """Choices with the network's own threshold, where none is given, and views.

    Args:
      teacher: whose eval.score_threshold it is, without a softmax of maps.
      config: its eval.views are those of a network with one.
      threshold, **chosen: of `Choices`.
    """
    if has_softmax(teacher):
        views = config.eval.views
        return Choices(threshold=threshold or HIGHEST, views=views, **chosen)
    fixed = str(teacher.config.eval.score_threshold)
    return Choices(threshold=threshold or fixed, **chosen)


def has_softmax(teacher: experiment.Experiment) -> bool:
    """Whether its maps are a softmax with background."""
    return teacher.config.model.map_outputs == "softmax"


def check_choices(teacher: experiment.Experiment, config, choices: Choices) -> None:
    """Raises UserError for choices that do not go with each other or the network."""
    count = len(teacher.class_names)
    if count > MAX_CLASSES:
        raise UserError(
            f"{teacher.workdir}: has {count} classes; label maps hold {MAX_CLASSES}"
        )
    check_uncorrected(config)
    if has_softmax(teacher):
        _check_highest(teacher, choices)
    else:
        _check_threshold(choices)


def check_uncorrected(config) -> None:
    """Raises UserError for `data.corrected_boxes`."""
    if boxes := config.data.corrected_boxes:
        raise UserError(
            f"data.corrected_boxes={boxes}: boxes do not bound label maps of several "
            "classes; leave it out"
        )


def _check_highest(student: experiment.Experiment, choices: Choices) -> None:
    if choices.refine == WALK:
        raise UserError(
            f"--refine={WALK}: {student.workdir} has model.map_outputs 'softmax', "
            "whose shares are no seeds to spread; use crf or none"
        )
    for name, only in (("maps", "bas"), ("threshold", HIGHEST)):
        if (value := getattr(choices, name)) != only:
            raise UserError(
                f"--{name}={value}: {student.workdir} has model.map_outputs 'softmax', "
                "whose highest map is a pixel's label: leave it out"
            )


def _check_threshold(choices: Choices) -> None:
    threshold = choices.threshold
    if threshold == FROM_VAL and choices.split == FROM_VAL:
        raise UserError(
            "--threshold=val is chosen on split val, which --split=val would measure; "
            "name another split or a number"
        )
    if threshold != FROM_VAL and not 0 < _number(threshold) < 1:
        raise UserError(
            f"--threshold={threshold}: expected {FROM_VAL} or a number between 0 and 1"
        )


def _number(text: str) -> float:
    """NaN for what is none."""
    try:
        return float(text)
    except ValueError:
        return float("nan")
