"""Passes and training steps of a recorded network, under the recorded names."""

import dataclasses
from pathlib import Path

import numpy as np
import tensorflow as tf

from bas_tf import losses, names
from bas_tf.jobs.weights_import import run_import
from bas_tf.models import build_localizer
from bas_tf.models.bas_terms import bas_terms
from bas_tf.models.weights import bas_official
from bas_tf.models.weights.assign import assign_weights
from bas_tf.models.weights.torch_names import torch_name
from bas_tf.training.optimizer import TorchSGD
from tests.golden import weights
from tests.models.weights.torch_checkpoints import checkpoint
from tests.models.weights.zip_torch import zip_file

CLASSES = 200
TERMS = {  # recorded name: ours
    "score_1": names.LOGITS,
    "score_2": names.FOREGROUND_LOGITS,
    "x_saliency": names.FOREGROUND_MAP,
    "x_sum": names.ACTIVATION,
    "x_erase_sum": names.BACKGROUND_ACTIVATION,
    "ratio_per_sample": names.BACKGROUND_ACTIVATION_SUPPRESSION_LOSS,
    "area_per_sample": names.AREA_CONSTRAINT_LOSS,
}
MEANS = {  # recorded name: ours, of which the batch's mean is recorded
    "ce1": names.CLASSIFICATION_LOSS,
    "ce2": names.FOREGROUND_REGION_GUIDANCE_LOSS,
    "ratio": names.BACKGROUND_ACTIVATION_SUPPRESSION_LOSS,
    "area": names.AREA_CONSTRAINT_LOSS,
}
LOSSES = ("total", "ce1", "ce2", "bas", "ratio", "area")
THROUGH = ("x_saliency", "x_erase_sum", "score_1")  # whose gradient is recorded too


@dataclasses.dataclass(frozen=True)
class Recorded:
    """A recorded network and the settings it was recorded with."""

    model: str
    backbone: str
    alpha: float
    beta: float
    top_k: int  # of eval_topk


MODELS = (
    Recorded("cub_vgg", "vgg16", 0.0, 0.7, 80),
    Recorded("cub_resnet", "resnet50", 0.5, 1.2, 200),
    Recorded("cub_mobilenet", "mobilenet_v1", 0.5, 1.5, 200),
    Recorded("cub_inception", "inception_v3", 0.5, 1.0, 200),
)


@dataclasses.dataclass(frozen=True)
class Step:
    """One training step, by recorded name; what is not recorded of it is empty."""

    terms: dict[str, np.ndarray]  # before the update
    gradients: dict[str, np.ndarray]  # those of THROUGH too; of the first step alone
    parameters: dict[str, np.ndarray]  # after the update; not of the second
    statistics: dict[str, np.ndarray]  # BatchNorm's moving ones, alike


def write_checkpoint(recorded: Recorded, shared_dir: Path, folder: Path) -> Path:
    """The weights by rule, as a checkpoint of the reference."""
    path = folder / "model.pth.tar"
    entries = weights.state_dict(shared_dir, recorded.model)
    path.write_bytes(checkpoint(entries, zip_file, "module."))
    return path


def import_by_rule(recorded: Recorded, shared_dir: Path, folder: Path) -> Path:
    """That checkpoint, imported into a file of our own."""
    path = write_checkpoint(recorded, shared_dir, folder)
    output = folder / "model.weights.h5"
    run_import(
        source="bas_official", backbone=recorded.backbone, num_classes=CLASSES,
        checkpoint=str(path), output=output,
    )  # fmt: skip
    return output


def load(recorded: Recorded, path: Path):
    """The localizer of a checkpoint, for images that need no scaling."""
    localizer = build_localizer(
        backbone=recorded.backbone,
        num_classes=CLASSES,
        input_size_wh=(224, 224),
        top_k=recorded.top_k,
    )
    assign_weights(localizer, bas_official.read(localizer, str(path)))
    localizer.backbone.set_input_scaling("none")
    return localizer


def evaluate(recorded: Recorded, localizer, images, labels, *, training: bool):
    """{recorded name: array} of one pass, for which no graph is worth its tracing."""
    terms = bas_terms(
        localizer, images, labels, background_wins="zero", batch_statistics=training
    )
    return as_recorded(recorded, terms)


def train(recorded: Recorded, localizer, images, labels, *, steps: int) -> list[Step]:
    """Steps as they were recorded: SGD, rate 0.001, momentum 0.9, decay 5e-4."""
    variables = localizer.trainable_variables
    moving = [v for v in localizer.variables if "/moving_" in v.path]
    sgd = TorchSGD(1e-3, momentum=0.9, l2=5e-4)
    sgd.build(variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            terms = bas_terms(localizer, images, labels, background_wins="zero")
            loss = tf.reduce_mean(
                losses.weighted_sum(terms, alpha=recorded.alpha, beta=recorded.beta)
            )
        through = [terms[TERMS[name]] for name in THROUGH]
        of_variables, of_terms = tape.gradient(loss, (variables, through))
        sgd.apply(of_variables, variables)
        return terms, of_variables, of_terms

    done = []
    for number in range(1, steps + 1):
        terms, of_variables, of_terms = step()
        gradients = parameters = statistics = {}
        if number == 1:
            gradients = by_recorded_name(recorded, variables, of_variables)
            gradients |= zip(THROUGH, map(np.asarray, of_terms), strict=True)
            gradients["x_saliency"] = gradients["x_saliency"].transpose(0, 3, 1, 2)
        if number != 2:
            parameters = by_recorded_name(recorded, variables, variables)
            statistics = by_recorded_name(recorded, moving, moving)
        terms = as_recorded(recorded, terms)
        done.append(Step(terms, gradients, parameters, statistics))
    return done


def as_recorded(recorded: Recorded, terms) -> dict[str, np.ndarray]:
    """Terms of the step under the recorded names, maps [batch, 1, h, w]."""
    out = {name: np.asarray(terms[ours]) for name, ours in TERMS.items()}
    out["x_saliency"] = out["x_saliency"].transpose(0, 3, 1, 2)
    out |= {name: np.mean(terms[ours]) for name, ours in MEANS.items()}
    out["bas"] = out["ratio"] + recorded.beta * out["area"]
    out["total"] = out["ce1"] + recorded.alpha * out["ce2"] + out["bas"]
    return out


def by_recorded_name(recorded: Recorded, variables, values) -> dict[str, np.ndarray]:
    """{recorded name: array in torch layout} of values that belong to variables."""
    out = {}
    for variable, value in zip(variables, values, strict=True):
        name = torch_name(variable.path, recorded.backbone)
        if recorded.model == "cub_inception":  # the one that calls its head so
            name = name.replace("classifier_cls.", "classifier.")
        array = np.array(tf.convert_to_tensor(value))
        out[name] = weights.torch_layout(array, variable.path)
    return out
