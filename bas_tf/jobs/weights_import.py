"""One import: a source's weights into a fresh localizer, and that into a file."""

from pathlib import Path

from bas_tf import files
from bas_tf.errors import UserError
from bas_tf.models import backbones
from bas_tf.models.localizer import build_localizer
from bas_tf.models.weights import weights_file
from bas_tf.models.weights.assign import Outcome, assign_weights
from bas_tf.models.weights.sources import SOURCES

DOWNLOADS = ("keras_applications", "efficientnet_lite")  # need no --checkpoint
INPUT_SIZE_WH = (224, 224)


def run_import(
    *,
    source: str,
    backbone: str,
    num_classes: int,
    checkpoint: str | None,
    output: Path,
    width: float = 1.0,
    partial: bool = False,
) -> Outcome:
    """Reads a checkpoint and writes `output`; prints what went where.

    Args:
      source, backbone: keys of `SOURCES` and `backbones.BACKBONES`.
      num_classes: of the model.
      checkpoint: the file to read; None where the source brings its own.
      output: ends in `.weights.h5`.
      width: of mobilenet_v1.
      partial: leaves fresh what does not match, instead of an error.

    Raises:
      UserError: an unknown name, a file that cannot be read or does not fit.
    """
    _check(source, backbone, num_classes, checkpoint, width)
    weights_file.check_suffix(output)
    files.check_place(output)
    files.check_not_inputs([output], filter(None, [checkpoint]))
    localizer = build_localizer(
        backbone=backbone,
        num_classes=num_classes,
        input_size_wh=INPUT_SIZE_WH,
        backbone_options=_backbone_options(source, backbone, width),
    )
    outcome = assign_weights(
        localizer, SOURCES[source](localizer, checkpoint), partial=partial
    )
    weights_file.save(localizer, output, source=f"{source} {checkpoint or ''}".strip())
    print(describe(outcome, output))
    return outcome


def describe(outcome: Outcome, output: Path) -> str:
    """What was taken, ignored and left fresh, for people."""
    lines = [
        f"{output}: {len(outcome.assigned)} arrays taken, {len(outcome.ignored)} "
        f"ignored on purpose, {len(outcome.fresh)} variables left fresh"
    ]
    lines += [f"  fresh: {path}" for path in outcome.fresh]
    lines += [f"  unmatched, {problem}" for problem in outcome.unmatched]
    return "\n".join(lines)


def _check(source, backbone, num_classes, checkpoint, width) -> None:
    for flag, value, known in (
        ("source", source, SOURCES),
        ("backbone", backbone, backbones.BACKBONES),
    ):
        if value not in known:
            raise UserError(f"--{flag}={value}: unknown; known: {', '.join(known)}")
    if width <= 0:
        raise UserError(f"--width={width}: must be above 0")
    if num_classes < 1:
        raise UserError(f"--num_classes={num_classes}: must be at least 1")
    if checkpoint is None and source not in DOWNLOADS:
        raise UserError(f"--checkpoint is missing; --source={source} reads a file")


def _backbone_options(source: str, backbone: str, width: float) -> dict:
    known, options = backbones.OPTIONS.get(backbone, ()), {}
    if "width" in known:
        options["width"] = width
    elif width != 1.0:
        raise UserError(f"--width={width}: {backbone} has no width")
    if "variant" in known and source == "keras_applications":
        options["variant"] = "keras"
    return options
