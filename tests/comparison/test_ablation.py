"""The ablation from config to table: rows, resuming, top-k, what is refused."""

import contextlib
import io
import json

import pytest

from bas_tf.comparison import ablation
from bas_tf.configs import ablation as ablation_config
from bas_tf.configs import demo
from bas_tf.errors import UserError
from bas_tf.evaluators import sweeps
from tests.commands import exit_code_in_process, only_error_line
from tests.training import narrow

QUICK = "configs/ablation.py:synthetic_quicktest"


def quick_config():
    """That config on a shallow network, all epochs of which train everything."""
    config = ablation_config.get_config("synthetic_quicktest")
    config.train.epochs, config.train.classifier_epochs = 1, 0
    config.model.backbone = narrow.NAME
    return config


@pytest.fixture(scope="module")
def ablated(tmp_path_factory):
    """(workdir, standard output) of the quick ablation; for reading only."""
    workdir = tmp_path_factory.mktemp("ablation") / "run"
    printed = io.StringIO()
    with narrow.shallow_backbone() as backbone:
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(printed),
        ):
            code = exit_code_in_process(
                patch, "bas_tf.ablate", f"--config={QUICK}", f"--workdir={workdir}",
                "--config.train.epochs=1", "--config.train.classifier_epochs=0",
                f"--config.model.backbone={backbone}",
            )  # fmt: skip
        assert code == 0
        yield workdir, printed.getvalue()


def losses_of(config) -> dict:
    base, rows = ablation.split_config(config)
    return {
        name: (row.loss.objective, row.loss.alpha, row.loss.beta)
        for name, row in ablation.row_configs(base, rows).items()
    }


def test_the_rows_are_the_papers():
    assert list(losses_of(ablation_config.get_config("butterflies")).items()) == [
        ("ce", ("ce", 0.0, 0.0)),
        ("ce_area", ("ce", 0.0, 1.2)),
        ("bas", ("bas", 0.0, 0.0)),
        ("bas_area", ("bas", 0.0, 1.2)),
        ("full", ("bas", 0.5, 1.2)),
    ]


def test_a_rows_config_is_the_base_but_for_its_loss():
    base, rows = ablation.split_config(ablation_config.get_config("synthetic"))
    for row in ablation.row_configs(base, rows).values():
        row.loss = demo.get_config().loss
        assert row.to_dict() == demo.get_config().to_dict()


def test_weights_can_be_set_for_all_rows_or_for_one():
    config = ablation_config.get_config("synthetic")
    config.loss.beta = 1.0
    assert [beta for _, _, beta in losses_of(config).values()] == [0, 1, 0, 1, 1]
    config.ablation.rows.ce_area.beta = 0.3
    assert [beta for _, _, beta in losses_of(config).values()] == [0, 0.3, 0, 1, 1]
    assert config.loss.beta == 1.0


@pytest.mark.parametrize(
    ("base", "top_ks", "num_classes", "left"),
    [
        (1, (5, 1000), 10, [5, 10]),
        (1, (5, 1000), 3, [3]),  # both are all classes
        (200, (1, 80, 1000), 200, [1, 80]),  # all classes is the row itself
    ],
)
def test_no_top_k_is_evaluated_twice(base, top_ks, num_classes, left):
    assert ablation.other_top_ks(base, top_ks, num_classes) == left


def test_what_is_added_to_the_classification_loss():
    loss = demo.get_config().loss  # alpha 0.5, beta 1.5
    assert ablation.generator_terms(loss) == "L_bas + 0.5 L_frg + 1.5 L_ac"
    loss.update(objective="ce", alpha=0.0, beta=0.0)
    assert ablation.generator_terms(loss) == "L_ce"


def test_a_wrong_choice_in_the_last_row_is_refused_before_training(tmp_path):
    config = ablation_config.get_config("synthetic_quicktest")
    config.ablation.rows.full.objective = "cam"
    with pytest.raises(UserError, match="loss.objective is 'cam'; known: bas, ce"):
        ablation.run_ablation(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("top_k_row", "bas", "ablation.top_k_row is 'bas'; known: ce_area, full"),
        ("order", ("full", "cam"), "a row of ablation.order is 'cam'; known: bas, "),
    ],
)
def test_a_row_that_there_is_not_is_refused(tmp_path, key, value, told):
    config = ablation_config.get_config("synthetic_quicktest")
    config.ablation[key] = value
    with pytest.raises(UserError, match=told):
        ablation.run_ablation(config, tmp_path / "run")


def test_a_split_without_boxes_is_refused_before_training(photo_folder, tmp_path):
    (photo_folder / "boxes.csv").unlink()
    config = ablation_config.get_config("synthetic_quicktest")
    config.data.source, config.data.root = "folder", str(photo_folder)
    config.eval.split = "val"
    with pytest.raises(UserError, match=f"'val' of {photo_folder} has no true boxes"):
        ablation.run_ablation(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_mistakes_of_the_command_line(monkeypatch, capsys, tmp_path):
    for config, told in [
        (
            "configs/demo.py:quicktest",
            "--config has no rows to compare; name configs/ab",
        ),
        ("configs/ablation.py", "unknown variant; known: synthetic, butterflies, synt"),
        ("configs/ablation.py:cub", "configs/ablation.py:cub: unknown variant"),
    ]:
        code = exit_code_in_process(
            monkeypatch, "bas_tf.ablate", f"--config={config}",
            f"--workdir={tmp_path / 'run'}",
        )  # fmt: skip
        assert code == 2
        assert told in only_error_line(capsys.readouterr().err)
        assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_command_prints_the_table_it_writes(ablated):
    workdir, printed = ablated
    table = (workdir / "ablation.md").read_text()
    assert printed == table
    lines = table.splitlines()[-4:]
    firsts = [[cell.strip() for cell in line.split("|")[1:4]] for line in lines]
    assert firsts == [
        ["ce_area", "L_ce + 1.5 L_ac", "1"],
        ["full", "L_bas + 0.5 L_frg + 1.5 L_ac", "1"],
        ["full_top5", "L_bas + 0.5 L_frg + 1.5 L_ac", "5"],
        ["full_top8", "L_bas + 0.5 L_frg + 1.5 L_ac", "8"],
    ]


@pytest.mark.slow
def test_every_row_says_how_it_was_evaluated(ablated):
    document = json.loads((ablated[0] / "ablation.json").read_text())
    assert (document["protocol"], document["split"]) == ("bas", "test")
    assert (document["num_images"], document["seed"]) == (32, 0)
    assert document["config"] == QUICK
    for row in document["rows"]:
        fixed, oracle = row["at"]["fixed"], row["at"]["oracle"]
        assert fixed["score_threshold"] == demo.get_config().eval.score_threshold
        assert oracle["score_threshold"] in sweeps.SCORE_THRESHOLDS
        assert oracle["gt_known_loc"] >= fixed["gt_known_loc"]
        assert 0 < row["mean_map"] < 1


@pytest.mark.slow
def test_a_row_is_a_training_workdir_and_its_figures_are_its_metrics(ablated):
    workdir, _ = ablated
    rows = json.loads((workdir / "ablation.json").read_text())["rows"]
    for row in rows[:2]:
        folder = workdir / row["name"]
        saved = json.loads((folder / "config.json").read_text())["config"]
        assert "ablation" not in saved
        assert f"L_{saved['loss']['objective']}" == row["terms"].split(" + ")[0]
        metrics = json.loads((folder / "metrics.json").read_text())["metrics"]
        for key in ("gt_known_loc", "gt_known_loc@0.7", "mean_iou", "top1_loc"):
            assert row["at"]["fixed"][key] == metrics[key]
        assert (row["top1_acc"], row["mean_map"]) == (
            metrics["top1_acc"], metrics["mean_map"],
        )  # fmt: skip
        assert saved["loss"]["objective"] in (folder / "report.html").read_text()
    top1, top5, top8 = (row["mean_map"] for row in rows[1:])
    assert len({top1, top5, top8}) == 3  # other maps of the same network
    assert len({row["top1_acc"] for row in rows[1:]}) == 1


@pytest.mark.slow
def test_trained_rows_are_evaluated_again_but_not_trained(ablated, tmp_path):
    """The same figures again, with every file of the trainings left as it was."""
    workdir, _ = ablated
    kept = [*workdir.glob("*/metrics.jsonl"), *workdir.glob("*/checkpoints/*")]
    before = {path: path.stat().st_mtime_ns for path in kept}
    again = ablation.run_ablation(quick_config(), workdir, config_name=QUICK)
    assert {path: path.stat().st_mtime_ns for path in kept} == before
    assert again == json.loads((workdir / "ablation.json").read_text())
    other = quick_config()
    other.loss.beta = 0.7
    with pytest.raises(UserError, match=r"ce_area: was trained with loss.beta=1.5"):
        ablation.run_ablation(other, workdir)
