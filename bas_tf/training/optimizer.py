"""SGD as torch does it, the reference's rate groups, and the schedules."""

import keras
import tensorflow as tf

from bas_tf.errors import UserError, check_at_least
from bas_tf.training.global_update import GlobalUpdate

# Parts of the network that start fresh learn ten times faster.
FRESH_PARTS = ("classifier", "foreground_generator")
POLY_POWER = 0.9


def rate_multiplier(path: str, bias_rate: float = 2.0) -> float:
    """The rate factor of a variable: 1 weights, 2 biases, ten times that when fresh.

    BatchNorm's beta counts as a bias, its gamma as a weight.

    Args:
      path: a Keras variable's path, as "localizer/backbone/head/classifier/.../bias".
      bias_rate: the factor of biases; 0 leaves them as they are.
    """
    parts = path.split("/")
    factor = bias_rate if parts[-1] in ("bias", "beta") else 1.0
    return 10.0 * factor if any(part in FRESH_PARTS for part in parts) else factor


class TorchSGD(GlobalUpdate):
    """SGD with Nesterov momentum and L2 weight decay, update for update torch's.

    g = gradient + l2 * p;  v = momentum * v + g;
    p = p - rate * multiplier(p) * (g + momentum * v), or without Nesterov
    p = p - rate * multiplier(p) * v.

    The velocity does not contain the rate (Keras's SGD keeps it inside), so a drop of
    the rate acts at once; the decay is added to the gradient (Keras decouples it).

    Args:
      l2: the weight decay, applied to every variable.
      bias_rate: see `rate_multiplier`.
      update_options: of `GlobalUpdate`.
    """

    def __init__(
        self,
        learning_rate,
        *,
        momentum: float = 0.9,
        l2: float = 5e-4,
        nesterov: bool = True,
        bias_rate: float = 2.0,
        name: str = "torch_sgd",
        **update_options,
    ):
        super().__init__(learning_rate=learning_rate, name=name, **update_options)
        self.momentum, self.l2 = momentum, l2
        self.nesterov, self._bias_rate = nesterov, bias_rate

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.velocities = [
            self.add_variable_from_reference(v, name="velocity") for v in variables
        ]
        self._multipliers = [
            rate_multiplier(v.path, self._bias_rate) for v in variables
        ]

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        velocity = self.velocities[index]
        value = tf.convert_to_tensor(variable)
        gradient = tf.cast(gradient, value.dtype) + self.l2 * value
        updated = self.momentum * tf.convert_to_tensor(velocity) + gradient
        rate = tf.cast(learning_rate, value.dtype) * self._multipliers[index]
        self.assign(velocity, updated)
        if self.nesterov:
            updated = gradient + self.momentum * updated
        self.assign_sub(variable, rate * updated)


class Adam(GlobalUpdate, keras.optimizers.Adam):
    """Keras's Adam with the options of `GlobalUpdate`."""


@keras.saving.register_keras_serializable("bas_tf")
class WarmupSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A linear rise from 0 over `warmup_steps`, then `after` on the same step count."""

    def __init__(self, after, warmup_steps: int):
        self.after, self.warmup_steps = after, warmup_steps

    def __call__(self, step):
        rise = (tf.cast(step, tf.float32) + 1.0) / max(self.warmup_steps, 1)
        return tf.minimum(rise, 1.0) * self.after(step)

    def get_config(self):
        return {"after": self.after, "warmup_steps": self.warmup_steps}


def make_schedule(
    *,
    kind: str,
    base_rate: float,
    total_steps: int,
    warmup_steps: int = 0,
    drop_steps: tuple[int, ...] = (),
    drop_factor: float = 0.1,
    poly_total_steps: int = 0,
):
    """The learning rate as a function of the step.

    Args:
      kind: "step", times `drop_factor` at each of `drop_steps`; "cosine", to 0 at
        `total_steps`; or "poly", times (1 - step / T)^0.9.
      warmup_steps: linear rise at the start; 0 for none.
      poly_total_steps: T of "poly"; 0 takes `total_steps`.

    Raises:
      UserError: an unknown kind, or a `poly_total_steps` that the training outlasts.
    """
    if kind == "step":
        values = [base_rate * drop_factor**i for i in range(len(drop_steps) + 1)]
        schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
            [step - 1 for step in drop_steps] or [total_steps],
            values if drop_steps else values * 2,
        )
    elif kind == "cosine":
        steps = max(1, total_steps)  # of a training of 0 epochs
        schedule = keras.optimizers.schedules.CosineDecay(base_rate, steps)
    elif kind == "poly":
        steps = poly_total_steps or max(1, total_steps)
        check_at_least("optimizer.poly_total_steps", steps, total_steps)
        schedule = keras.optimizers.schedules.PolynomialDecay(
            base_rate, steps, 0.0, power=POLY_POWER
        )
    else:
        raise UserError(f"optimizer.schedule is {kind!r}; known: step, cosine, poly")
    return WarmupSchedule(schedule, warmup_steps) if warmup_steps else schedule


def make_optimizer(
    kind: str,
    schedule,
    *,
    momentum: float,
    l2: float,
    nesterov: bool = True,
    bias_rate: float = 2.0,
    **update_options,
) -> GlobalUpdate:
    """Builds an optimizer.

    Args:
      kind: "sgd", the reference's; "adam", without rate groups and decay, for networks
        that start from nothing: there SGD hardly moves what lies before the pooled,
        rectified class maps.
      momentum, l2, nesterov, bias_rate: of "sgd".
      update_options: `clip_norm`, `ema`, `scale_losses`, see `GlobalUpdate`.

    Raises:
      UserError: an unknown kind, or an option out of its range.
    """
    if kind == "sgd":
        return TorchSGD(
            schedule, momentum=momentum, l2=l2, nesterov=nesterov, bias_rate=bias_rate,
            **update_options,
        )  # fmt: skip
    if kind == "adam":
        # Named: Keras would number those of one process, and a checkpoint not fit.
        return Adam(schedule, name="adam", **update_options)
    raise UserError(f"optimizer.kind is {kind!r}; known: sgd, adam")
