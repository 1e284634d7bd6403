"""One distributed training step: losses, gradients, update."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from bas_tf import losses, names
from bas_tf.errors import UserError, check_at_least, check_choice
from bas_tf.models import bas_terms
from bas_tf.models.convolution import speed_up_gradients
from bas_tf.models.localizer import Localizer
from bas_tf.ops.score_maps import resize_bilinear
from bas_tf.training.global_update import GlobalUpdate

BROKEN_REPLICAS = "broken_replicas"


@dataclasses.dataclass(frozen=True)
class Method:
    """The method's choices: see `losses.weighted_sum` and `bas_terms.bas_terms`.

    `accumulation_steps` and `jit_compile` say how a step is computed: in how many
    parts, one after the other, a replica takes its share of the batch (BatchNorm then
    sees one part at a time); and whether XLA compiles the forward and backward pass.
    `classifier_scale` of their width and height is what images are resized to in the
    classifier's epochs, in multiples of 16, at least 64. `uses_masks`: batches have
    names.MASKS, and the loss L_mask; `label_maps`, of a network with a softmax of maps:
    they are label maps, and L_seg takes the place of every term but L_cls.
    `classification` "multilabel": batches have names.PRESENT, and L_mcls in place of
    L_cls; `positives` says whether one of a photo's classes, the label, is y in the
    other terms, or "all", see `terms_of_positives`. `no_object`: the class id of photos
    without an object, if there is one: they train the classifier, and the area term
    empties their map; what asks for an object in it is 0.

    Raises:
      UserError: an unknown `objective`, `classification` or `background_wins`, masks
        with "multilabel", label maps without it or none of them, no part at all, or
        a scale that is none.
    """

    alpha: float
    beta: float
    objective: str = "bas"
    background_wins: str = "zero"
    classification: str = "single"
    positives: str = "one"
    frg_stops_class_maps: bool = False
    batch_statistics: bool = True
    accumulation_steps: int = 1
    jit_compile: bool = False
    classifier_scale: float = 1.0
    uses_masks: bool = False
    label_maps: bool = False
    no_object: int | None = None

    def __post_init__(self):
        # Told at once, not when the classifier's epochs are over.
        losses.background_constant(self.background_wins)
        losses.objective_term(self.objective)
        choices = losses.CLASSIFICATIONS
        check_choice("loss.classification", self.classification, choices)
        several = self.classification == "multilabel"
        check_choice("loss.positives", self.positives, losses.POSITIVES)
        if self.positives == "all" and not several:
            raise UserError("loss.positives 'all' is for classification 'multilabel'")
        if self.uses_masks and several and not self.label_maps:
            raise UserError(
                "model.map_outputs is 'sigmoid', but loss.classification 'multilabel' "
                "with data.pseudo_masks trains on label maps: set it to 'softmax'"
            )
        if self.label_maps and not (self.uses_masks and several):
            raise UserError(
                "model.map_outputs is 'softmax', which learns label maps: set "
                "data.pseudo_masks to a folder of them, of bas_tf.refine, and "
                "loss.classification to 'multilabel'"
            )
        check_at_least("train.accumulation_steps", self.accumulation_steps, 1)
        if not 0 < self.classifier_scale <= 1:
            raise UserError(
                f"train.classifier_scale is {self.classifier_scale}; above 0, at most 1"
            )

    @property
    def inputs(self) -> tuple[str, ...]:
        """Keys of a batch: images, labels, and those of `bas_terms` by their names."""
        return (
            names.IMAGES,
            names.LABELS,
            *[names.MASKS] * self.uses_masks,
            *[names.PRESENT] * (self.classification == "multilabel"),
        )

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the losses: four, with pseudo-masks five, with label maps two."""
        if self.label_maps:
            return names.CLASSIFICATION_LOSS, names.LABEL_MAP_LOSS
        return (
            names.CLASSIFICATION_LOSS,
            names.FOREGROUND_REGION_GUIDANCE_LOSS,
            names.AREA_CONSTRAINT_LOSS,
            losses.objective_term(self.objective),
            *[names.MASK_LOSS] * self.uses_masks,
        )


def make_train_step(
    *,
    localizer: Localizer,
    optimizer: GlobalUpdate,
    strategy: tf.distribute.Strategy,
    method: Method,
    bas_active: bool,
    batch_size: int,
) -> Callable:
    """Builds one distributed step: batch -> {name: scalar mean over the batch}.

    Each replica divides its sum by the *global* batch, since gradients are summed
    over replicas. While `bas_active` is False the generator is not touched at all.
    A step that the optimizer skips (see `GlobalUpdate`) leaves BatchNorm's moving
    statistics as they were, too. The localizer keeps `speed_up_gradients`.

    Under BROKEN_REPLICAS it returns [replicas]: 1 where a replica's part of any mean
    is not finite, else 0. A UserError says that the batch does not divide over replicas
    and their parts, or that several replicas should be compiled.
    """
    replicas = strategy.num_replicas_in_sync
    check_parts(batch_size, replicas, method.accumulation_steps)
    if method.jit_compile and replicas > 1:  # XLA cannot share BatchNorm's statistics
        raise UserError(
            f"train.jit_compile is True, which works with one replica, not {replicas}; "
            "leave it out"
        )
    speed_up_gradients(localizer)
    trained = localizer if bas_active else localizer.backbone
    variables = trained.trainable_variables
    statistics = trained.non_trainable_variables if optimizer.scale_losses else []
    reported = (names.LOSS, *method.terms, "accuracy")

    compute = _make_compute(
        localizer, optimizer, method, variables,
        bas_active=bas_active, batch_size=batch_size,
    )  # fmt: skip

    def replica_step(batch):
        before = [tf.identity(v.value) for v in statistics]
        gradients, sums = compute(*(batch[name] for name in method.inputs))
        optimizer.apply(gradients, variables)
        for variable, value in zip(statistics, before, strict=True):
            skipped = optimizer.steps_since_overflow.value < 1
            variable.assign(tf.where(skipped, value, variable.value))
        means = sums[names.LOSS], *(sums[key] / batch_size for key in reported[1:])
        means = tf.stack([tf.cast(mean, means[0].dtype) for mean in means])
        return tf.concat([means, _broken_replica(means, replicas)], axis=0)

    @tf.function(autograph=False)
    def step(batch):
        parts = strategy.run(replica_step, args=(batch,))
        total = strategy.reduce(tf.distribute.ReduceOp.SUM, parts, axis=None)
        means = tf.unstack(total[: len(reported)])
        return {
            **dict(zip(reported, means, strict=True)),
            BROKEN_REPLICAS: total[len(reported) :],
        }

    return step


def _make_compute(
    localizer: Localizer,
    optimizer: GlobalUpdate,
    method: Method,
    variables: list,
    *,
    bas_active: bool,
    batch_size: int,
) -> Callable:
    """`Method.inputs` -> gradients of the scaled loss, and sums to report."""

    def compute(images, labels, *others):
        others = dict(zip(method.inputs[2:], others, strict=True))
        with tf.GradientTape() as tape:
            terms = _terms(
                localizer, images, labels, method=method, bas_active=bas_active,
                **others,
            )  # fmt: skip
            total = losses.weighted_sum(
                terms, alpha=method.alpha, beta=method.beta, objective=method.objective
            )
            loss = tf.reduce_sum(total) / batch_size
            scaled = optimizer.scale_loss(loss)
        sums = _sums(terms, loss, method, labels, others.get(names.PRESENT))
        return tape.gradient(scaled, variables), sums

    if method.jit_compile:
        compute = tf.function(compute, jit_compile=True, autograph=False)
    if method.accumulation_steps > 1:
        compute = _in_parts(compute, method.accumulation_steps)
    return compute


def check_parts(batch_size: int, replicas: int, parts: int) -> None:
    """Raises UserError when a global batch does not divide over replicas x parts."""
    if batch_size % (replicas * parts):
        raise UserError(
            f"data.batch_size is {batch_size}, which does not divide over {replicas} "
            f"replicas x train.accumulation_steps={parts}"
        )


def _broken_replica(means: tf.Tensor, replicas: int) -> tf.Tensor:
    """[replicas]: 1 at this replica's place when one of its means is not finite."""
    which = tf.distribute.get_replica_context().replica_id_in_sync_group
    finite = tf.reduce_all(tf.math.is_finite(means))
    place = tf.one_hot(which, replicas, dtype=means.dtype)
    return tf.where(finite, tf.zeros_like(place), place)


def _terms(
    localizer, images, labels, masks=None, present=None, *, method, bas_active: bool
) -> dict[str, tf.Tensor]:
    if not bas_active:
        images = _scaled(images, method.classifier_scale)
        terms = bas_terms.classifier_terms(
            localizer, images, labels, present, objective=method.objective
        )
        if masks is not None:
            term = names.LABEL_MAP_LOSS if method.label_maps else names.MASK_LOSS
            terms[term] = tf.zeros_like(terms[names.AREA_CONSTRAINT_LOSS])
            terms[names.HAS_MASK] = tf.zeros_like(labels, tf.bool)
        return terms
    if method.label_maps:
        return bas_terms.label_map_terms(
            localizer, images, labels, masks, present,
            batch_statistics=method.batch_statistics,
        )  # fmt: skip
    terms = bas_terms.terms_of_positives(
        localizer, images, labels, masks, present,
        positives=method.positives, background_wins=method.background_wins,
        objective=method.objective, batch_statistics=method.batch_statistics,
        frg_stops_class_maps=method.frg_stops_class_maps,
    )  # fmt: skip
    if method.no_object is not None:
        has_object = tf.not_equal(labels, method.no_object)
        of_object = losses.objective_term(method.objective)
        for name in (names.FOREGROUND_REGION_GUIDANCE_LOSS, of_object):
            terms[name] = tf.where(has_object, terms[name], 0.0)
    return terms


def _scaled(images: tf.Tensor, scale: float) -> tf.Tensor:
    if scale == 1:
        return images
    sides = images.shape[1:3]
    scaled = [max(16 * round(scale * side / 16), min(side, 64)) for side in sides]
    return resize_bilinear(images, scaled)


def _sums(terms, loss, method: Method, labels, present) -> dict[str, tf.Tensor]:
    """names.LOSS as it is; of the terms and the hits, sums over the examples.

    A hit is an example whose best class is its label, or one that is present.
    """
    best = tf.argmax(terms[names.LOGITS], axis=-1, output_type=tf.int32)
    if present is None:
        hits = tf.equal(best, labels)
    else:
        hits = tf.gather(present, best, axis=1, batch_dims=1)
    return {
        names.LOSS: loss,
        **{term: tf.reduce_sum(terms[term]) for term in method.terms},
        "accuracy": tf.reduce_sum(tf.cast(hits, tf.float32)),
    }


def _in_parts(compute: Callable, count: int) -> Callable:
    """`compute` on equal parts of a batch, one after the other, results added up.

    Each part waits for the gradients of the one before it: what that one kept for its
    backward pass is free again. Its gradients wait for its loss, or the frozen pass can
    read weights that the step has updated already (seen with TensorFlow 2.21). No loop
    of the graph: in one, replicas could not share BatchNorm's statistics.
    """

    def in_parts(*batch):
        total = None
        for part in zip(*(tf.split(x, count) for x in batch), strict=True):
            with tf.control_dependencies(total and total[0]):
                gradients, sums = compute(*(tf.identity(p) for p in part))
            with tf.control_dependencies([sums[names.LOSS]]):
                gradients = [tf.identity(g) for g in gradients]
            found = gradients, sums
            total = tf.nest.map_structure(tf.add, total, found) if total else found
        return total

    return in_parts
