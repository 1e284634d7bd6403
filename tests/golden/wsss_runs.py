"""The journal extension's segmentation network: its weights, passes and steps."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from bas_tf import losses, names
from bas_tf.models import build_localizer
from bas_tf.models.bas_terms import bas_terms
from bas_tf.models.weights import bas_official
from bas_tf.models.weights.assign import assign_weights
from bas_tf.models.weights.torch_names import torch_name
from bas_tf.training.optimizer import make_optimizer
from tests.golden import weights
from tests.models.weights.torch_checkpoints import checkpoint
from tests.models.weights.zip_torch import zip_file

CLASSES, ALPHA, BETA = 20, 0.2, 1.2
L2 = 1e-4
MOMENTUM = 1e-4  # the original hands its weight decay to torch's momentum, too
OPTIONS = {"background_wins": "one", "frg_stops_class_maps": True}
TERMS = {  # recorded name: ours
    "score": names.LOGITS,
    "score_frg": names.FOREGROUND_LOGITS,
    "S": names.ACTIVATION,
    "S_bg": names.BACKGROUND_ACTIVATION,
    "ratio_per_sample": names.BACKGROUND_ACTIVATION_SUPPRESSION_LOSS,
    "area_per_sample": names.AREA_CONSTRAINT_LOSS,
    "frg_per_sample": names.FOREGROUND_REGION_GUIDANCE_LOSS,
    "mcls_per_sample": names.CLASSIFICATION_LOSS,
}
COLUMNS = {  # of the recorded losses, without their total
    "mcls": names.CLASSIFICATION_LOSS,
    "frg": names.FOREGROUND_REGION_GUIDANCE_LOSS,
    "bas": names.BACKGROUND_ACTIVATION_SUPPRESSION_LOSS,
    "ac": names.AREA_CONSTRAINT_LOSS,
}


def state_dict(shared_dir: Path) -> dict[str, np.ndarray]:
    """Every entry of network A, rebuilt by its rule."""
    text = (shared_dir / "golden" / "wsss_names.json").read_text()
    shapes = {name: tuple(shape) for name, shape in json.loads(text)["A"]}
    return {name: weights.entry(name, shape, shapes) for name, shape in shapes.items()}


def load(entries: dict[str, np.ndarray], path: Path):
    """The localizer with these weights, by way of a checkpoint of the original."""
    path.write_bytes(checkpoint(entries, zip_file, "module."))
    localizer = build_localizer(
        backbone="resnet50",
        num_classes=CLASSES,
        input_size_wh=(160, 128),
        classifier={"variant": "linear", "final_relu": False},
        head_biases=False,
        backbone_options={"trunk_stride": 16},
    )
    assign_weights(localizer, bas_official.read(localizer, str(path)))
    localizer.backbone.set_input_scaling("none")
    return localizer


def terms_of(localizer, batch, *, training: bool = True):
    """`batch` is images, labels and the present classes."""
    images, labels, present = batch
    return bas_terms(
        localizer, images, labels, present=present, batch_statistics=training, **OPTIONS
    )


def terms_and_gradient_norms(localizer, batch):
    """The terms, and {term: {recorded name: norm of its batch's mean's gradient}}.

    The norm is 0 where there is no gradient.
    """
    variables = localizer.trainable_variables
    with tf.GradientTape(persistent=True) as tape:
        terms = terms_of(localizer, batch)
        means = {name: tf.reduce_mean(terms[ours]) for name, ours in COLUMNS.items()}
    return terms, {
        name: {
            path: 0.0 if gradient is None else np.linalg.norm(gradient)
            for path, gradient in zip(
                recorded_names(variables), tape.gradient(mean, variables), strict=True
            )
        }
        for name, mean in means.items()
    }


def train(localizer, batch, rates):
    """Of a step at each rate: losses, gradients, parameters, statistics, by name.

    Gradients of the first step alone and variables of all but the second: what is
    recorded.
    """
    variables = localizer.trainable_variables
    moving = [v for v in localizer.variables if "/moving_" in v.path]
    sgd = make_optimizer(
        "sgd", rates[0], momentum=MOMENTUM, l2=L2, nesterov=False, bias_rate=0.0
    )
    sgd.build(variables)
    done = []
    for number, rate in enumerate(rates, 1):
        sgd.learning_rate = rate
        with tf.GradientTape() as tape:
            terms = terms_of(localizer, batch)
            loss = tf.reduce_mean(losses.weighted_sum(terms, alpha=ALPHA, beta=BETA))
        through = [terms[names.LOGITS], terms[names.FOREGROUND_MAP]]
        gradients, of_terms = tape.gradient(loss, (variables, through))
        sgd.apply(gradients, variables)
        step = {"losses": [*(np.mean(terms[t]) for t in COLUMNS.values()), float(loss)]}
        if number == 1:
            step["gradients"] = named(variables, gradients)
            step["of_terms"] = dict(zip(("score", "map"), of_terms, strict=True))
        if number != 2:
            step["parameters"] = named(variables, variables)
            step["statistics"] = named(moving, moving)
        done.append(step)
    return done


def recorded_names(variables) -> list[str]:
    names_ = (torch_name(variable.path, "resnet50") for variable in variables)
    return [n.replace("classifier_cls.4.", "classifier_cls.") for n in names_]


def named(variables, values) -> dict[str, np.ndarray]:
    """{recorded name: array in torch layout} of values that belong to variables."""
    arrays = (np.array(tf.convert_to_tensor(value)) for value in values)
    return {
        name: weights.torch_layout(array, variable.path)
        for name, variable, array in zip(
            recorded_names(variables), variables, arrays, strict=True
        )
    }
