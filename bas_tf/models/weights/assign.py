"""Carries named arrays into a localizer's variables: all of them, or an error."""

import dataclasses
from collections.abc import Callable, Mapping

import keras
import numpy as np

from bas_tf.errors import UserError
from bas_tf.models.localizer import Localizer

MOST_NAMES = 8  # of a kind that an error lists


@dataclasses.dataclass(frozen=True)
class Weights:
    """What a source holds.

    Attributes:
      arrays: by the source's names, in Keras layout (kernels [height, width, in,
        out], depthwise ones [height, width, channels, 1]).
      name_of: path of a localizer's variable -> its name in `arrays`; None for what
        the source does not hold, which stays fresh.
    """

    origin: str  # the file or package, for messages
    arrays: Mapping[str, np.ndarray]
    name_of: Callable[[str], str | None]
    scaling: str  # a name of `input_scaling`: what the weights were trained on
    ignored: tuple[str, ...] = ()  # names left out of `arrays` on purpose


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Names of arrays that found their variable and of those ignored on purpose,
    paths of variables left fresh, and what did not match in a partial import."""

    assigned: tuple[str, ...]
    ignored: tuple[str, ...]
    fresh: tuple[str, ...]
    unmatched: tuple[str, ...]


def assign_weights(
    localizer: Localizer, weights: Weights, *, partial: bool = False
) -> Outcome:
    """Sets the variables that the weights name, and the input scaling.

    Nothing is set before everything was compared.

    Args:
      partial: leaves fresh what does not match, instead of an error.

    Raises:
      UserError: a variable without an array, an array without a variable, or shapes
        that differ; lists the names on both sides.
    """
    named = {weights.name_of(v.path): v for v in model_variables(localizer)}
    named.pop(None, None)
    arrays = weights.arrays
    fitting = {
        name: variable
        for name, variable in named.items()
        if name in arrays and tuple(variable.shape) == arrays[name].shape
    }
    problems = _problems(named, arrays, fitting)
    if problems and not partial:
        raise UserError(
            f"{weights.origin}: {'; '.join(problems)}"
            f"{_class_count_hint(localizer, named, arrays)}"
        )
    if not fitting:
        raise UserError(f"{weights.origin}: nothing in it fits the model")
    for name, variable in fitting.items():
        variable.assign(arrays[name])
    localizer.backbone.set_input_scaling(weights.scaling)
    used = {variable.path for variable in fitting.values()}
    return Outcome(
        assigned=tuple(fitting),
        ignored=weights.ignored,
        fresh=tuple(v.path for v in model_variables(localizer) if v.path not in used),
        unmatched=tuple(problems),
    )


def model_variables(localizer: Localizer) -> list[keras.Variable]:
    """Every variable but the input scaling."""
    scaling = localizer.backbone.trunk.get_layer("scaling").variables
    return [v for v in localizer.variables if not any(v is s for s in scaling)]


def _problems(named, arrays, fitting) -> list[str]:
    missing = [name for name in named if name not in arrays]
    strange = [name for name in arrays if name not in named]
    misshaped = [
        f"{name} ({_shape(arrays[name])} in the file, {_shape(variable)} in the model)"
        for name, variable in named.items()
        if name in arrays and name not in fitting
    ]
    kinds = {
        "the model needs and the file lacks": missing,
        "the file has and the model lacks": strange,
        "shapes differ": misshaped,
    }
    return [f"{kind}: {_listed(names)}" for kind, names in kinds.items() if names]


def _shape(array) -> str:
    return "x".join(map(str, array.shape))


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _class_count_hint(localizer: Localizer, named, arrays) -> str:
    """Says so when the file is for another number of classes."""
    for name, variable in named.items():
        if variable.path.endswith("class_maps/kernel") and name in arrays:
            in_file = arrays[name].shape[-1]
            if in_file != localizer.num_classes:
                return (
                    f"; the file is for {in_file} classes, "
                    f"the model for {localizer.num_classes}"
                )
    return ""
