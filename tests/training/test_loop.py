"""The loop: replicas, phases, exact resuming, and stopping on a broken loss."""

import json

import numpy as np
import pytest
import tensorflow as tf

from bas_tf import losses, names
from bas_tf.data import pipeline
from bas_tf.errors import UserError
from bas_tf.models import backbones
from bas_tf.models.localizer import build_localizer
from bas_tf.training import checkpoint, hooks, loop, strategy, train_step
from bas_tf.training.optimizer import TorchSGD

METHOD = train_step.Method(alpha=0.5, beta=1.2, background_wins="gradient")


def run(localizer, optimizer, squares, *, distribution=None, first_step=0, epochs=2,
        classifier_epochs=1, hooks=(), method=METHOD, batch_size=4):  # fmt: skip
    distribution = distribution or tf.distribute.get_strategy()

    def epoch_batches(epoch, first_batch):
        batches = pipeline.train_batches(
            squares, crop_size_wh=(64, 64), batch_size=batch_size, seed=0, epoch=epoch,
            first_batch=first_batch,
        )  # fmt: skip
        return distribution.experimental_distribute_dataset(batches)

    loop.train(
        localizer=localizer, optimizer=optimizer, strategy=distribution,
        method=method, epoch_batches=epoch_batches, steps_per_epoch=12 // batch_size,
        batch_size=batch_size, first_step=first_step, epochs=epochs,
        classifier_epochs=classifier_epochs, hooks=hooks,
    )  # fmt: skip


def weights_of(localizer):
    return [v.numpy() for v in localizer.variables]


@pytest.mark.slow
def test_classifier_epochs_leave_the_generator_alone(build, squares):
    localizer, optimizer = build()
    before = localizer.generator.kernel.numpy()
    seen = []
    run(localizer, optimizer, squares, epochs=1, hooks=[seen.append])
    np.testing.assert_array_equal(localizer.generator.kernel.numpy(), before)
    assert [p.bas_active for p in seen] == [False] * 3
    assert all(p.values[names.AREA_CONSTRAINT_LOSS] == 0 for p in seen)
    run(localizer, optimizer, squares, first_step=3, hooks=[seen.append])
    assert (localizer.generator.kernel.numpy() != before).any()
    assert [p.step for p in seen] == [1, 2, 3, 4, 5, 6]
    assert [p.epoch_ends for p in seen] == [False, False, True] * 2


@pytest.mark.slow
@pytest.mark.parametrize("objective", losses.OBJECTIVES)
def test_the_reported_loss_is_the_weighted_sum_of_the_terms(build, squares, objective):
    """In the classifier's epochs (the first three steps) too."""
    method = train_step.Method(alpha=0.5, beta=1.2, objective=objective)
    localizer, optimizer = build()
    before, seen = localizer.generator.kernel.numpy(), []
    run(localizer, optimizer, squares, method=method, hooks=[seen.append])
    assert (localizer.generator.kernel.numpy() != before).any()
    for progress in seen:
        v = progress.values
        classification, guidance, area, of_objective = (v[t] for t in method.terms)
        assert losses.OBJECTIVES.values() & v.keys() == {losses.OBJECTIVES[objective]}
        expected = classification + 0.5 * guidance + 1.2 * area + of_objective
        assert v[names.LOSS] == pytest.approx(expected, rel=1e-5)
        assert (guidance > 0) == progress.bas_active == (progress.step > 3)


def test_a_choice_that_does_not_exist_is_refused_before_training():
    with pytest.raises(UserError, match="loss.objective is 'cam'; known: bas, ce"):
        train_step.Method(alpha=0.5, beta=1.2, objective="cam")
    with pytest.raises(UserError, match="loss.background_wins is 'two'"):
        train_step.Method(alpha=0.5, beta=1.2, background_wins="two")


@pytest.mark.parametrize("objective", ["bas", "ce"])
def test_the_progress_bar_shows_the_terms_there_are(capsys, objective):
    progress = progress_of(1, 0.5, epoch_ends=True, objective=objective)
    hooks.progress_bar(total_steps=1, first_step=0)(progress)
    assert f", {objective}=0.000" in capsys.readouterr().err


@pytest.mark.slow
def test_frozen_statistics_do_not_move_once_the_generator_trains(build, squares):
    localizer, optimizer = build()
    frozen = train_step.Method(alpha=0.5, beta=1.2, batch_statistics=False)
    before = [v.numpy() for v in localizer.backbone.non_trainable_variables]
    run(localizer, optimizer, squares, classifier_epochs=0, method=frozen)
    after = [v.numpy() for v in localizer.backbone.non_trainable_variables]
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)
    run(localizer, optimizer, squares, classifier_epochs=0)
    moved = [v.numpy() for v in localizer.backbone.non_trainable_variables]
    assert any((a != b).any() for a, b in zip(before, moved, strict=True))


@pytest.mark.slow
def test_resuming_at_any_step_is_exact(build, squares, tmp_path):
    """Three steps an epoch; the generator's terms begin with the fourth step."""
    through, seen = build(), []
    run(*through, squares, epochs=3, hooks=[seen.append])
    expected = weights_of(through[0])
    for last_step in (2, 5):
        folder = tmp_path / f"to_{last_step}"
        parts, done = stopped_and_resumed(build, squares, folder, last_step)
        assert [p.values for p in done] == [p.values for p in seen]
        for a, b in zip(expected, weights_of(parts[0]), strict=True):
            np.testing.assert_array_equal(a, b)


def stopped_and_resumed(build, squares, folder, last_step):
    """The localizer and optimizer of three epochs in two parts, what each step said."""
    first = build()
    saver, done = checkpoint.Checkpointer(folder, *first), []
    save = hooks.save_checkpoints(
        saver, every_steps=0, stop_requested=lambda: len(done) == last_step
    )
    with pytest.raises(hooks.TrainingStoppedError, match=f"after step {last_step}"):
        run(*first, squares, epochs=3, hooks=[done.append, save])
    second = build(seed=1)  # other weights: all must come from the checkpoint
    assert checkpoint.Checkpointer(folder, *second).restore() == last_step
    run(*second, squares, first_step=last_step, epochs=3, hooks=[done.append])
    return second, done


@pytest.mark.slow
def test_checkpoints_come_at_the_asked_steps_and_at_epochs_ends(
    build, squares, tmp_path
):
    parts, saved = build(), []
    saver = checkpoint.Checkpointer(tmp_path, *parts)
    saver.save = saved.append
    run(*parts, squares, epochs=2, hooks=[save_each(saver, every_steps=2)])
    assert saved == [2, 3, 4, 6]


def save_each(saver, every_steps=0):
    return hooks.save_checkpoints(
        saver, every_steps=every_steps, stop_requested=lambda: False
    )


@pytest.mark.slow
def test_a_broken_loss_stops_with_step_and_term_and_keeps_the_checkpoint(
    build, squares, tmp_path
):
    localizer, optimizer = build()
    saver = checkpoint.Checkpointer(tmp_path, localizer, optimizer)
    run(localizer, optimizer, squares, epochs=1, hooks=[save_each(saver)])
    good = weights_of(localizer)
    localizer.generator.bias.assign([np.nan] * 3)
    with pytest.raises(loop.TrainingDivergedError, match=r"step 4: .*area_constraint"):
        run(localizer, optimizer, squares, first_step=3)
    again = build(seed=1)
    assert checkpoint.Checkpointer(tmp_path, *again).restore() == 3
    for a, b in zip(good, weights_of(again[0]), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", sorted(backbones.BACKBONES))
def test_a_checkpoint_alone_brings_every_weight_back(tmp_path, backbone):
    localizer = build_localizer(
        backbone=backbone, num_classes=3, input_size_wh=(32, 32),
        classifier={"variant": "paper", "width": 8}, normalize_generator_input=True,
    )  # fmt: skip
    optimizer = TorchSGD(1e-3)
    optimizer.build(localizer.trainable_variables)
    for number, variable in enumerate(localizer.variables):
        variable.assign(tf.fill(variable.shape, float(number)))
    checkpoint.Checkpointer(tmp_path, localizer, optimizer).save(1)
    for variable in localizer.variables:
        variable.assign(tf.fill(variable.shape, -1.0))
    assert checkpoint.Checkpointer(tmp_path, localizer).restore() == 1
    for number, variable in enumerate(localizer.variables):
        assert np.all(variable.numpy() == number), variable.path


def test_a_batch_that_does_not_divide_is_refused():
    mirrored = strategy.make_strategy("mirrored")
    with pytest.raises(UserError, match="batch_size is 3.*2 replicas"):
        train_step.check_parts(3, mirrored.num_replicas_in_sync, 1)


def test_an_unknown_strategy_is_refused():
    with pytest.raises(UserError, match="train.strategy is 'magic'"):
        strategy.make_strategy("magic")


def progress_of(step, area, *, epoch_ends, objective="bas"):
    terms = train_step.Method(alpha=0.5, beta=1.2, objective=objective).terms
    values = dict.fromkeys([*terms, names.LOSS, "accuracy"], 0.0)
    return loop.Progress(
        step=step, epoch=0, bas_active=True,
        values={**values, names.AREA_CONSTRAINT_LOSS: area}, epoch_ends=epoch_ends,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("area", "warned"), [(0.005, True), (0.3, False), (0.99, True)]
)
def test_a_collapse_is_warned_of(caplog, area, warned):
    hook = hooks.warn_of_collapse()
    with caplog.at_level("WARNING", logger="absl"):
        hook(progress_of(1, area, epoch_ends=False))
        hook(progress_of(2, area, epoch_ends=True))
    assert ("collapsed" in caplog.text) == warned


@pytest.mark.parametrize(
    ("num_classes", "second_loss", "warned"),
    [
        (7, np.log(7), True),
        (7, np.log(7) - 0.01, False),
        (1, 0.0, False),  # log(1), alive or not
    ],
)
def test_dead_class_maps_are_warned_of(caplog, num_classes, second_loss, warned):
    hook = hooks.warn_of_dead_class_maps(num_classes)
    with caplog.at_level("WARNING", logger="absl"):
        for step, loss in enumerate([np.log(num_classes), second_loss], 1):
            progress = progress_of(step, 0.5, epoch_ends=step == 2)
            progress.values[names.CLASSIFICATION_LOSS] = float(loss)
            hook(progress)
    assert ("class maps are zero" in caplog.text) == warned


def test_the_log_has_each_step_once_after_resuming(tmp_path):
    path = tmp_path / "metrics.jsonl"
    log = hooks.jsonl_log(path, every_steps=1, first_step=0)
    for step in (1, 2, 3):
        log(progress_of(step, 0.5, epoch_ends=False))
    with open(path, "a") as file:
        file.write('{"step": 4, "lo')  # killed while writing
    again = hooks.jsonl_log(path, every_steps=1, first_step=2)
    again(progress_of(3, 0.4, epoch_ends=True))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert rows[2][names.AREA_CONSTRAINT_LOSS] == 0.4
