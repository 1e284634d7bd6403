"""Runs on disk: their names, which settings differ, which may share a table."""

from bas_tf.comparison import compared_runs
from bas_tf.configs import demo
from bas_tf.jobs import experiment
from tests.evaluated_runs import metrics_file, unsaved_workdir


def test_other_images_of_equal_number_are_kept_apart(tmp_path):
    config = demo.get_config("quicktest")
    paths = [unsaved_workdir(tmp_path / "first", config)]
    config.data.seed = 5
    paths.append(unsaved_workdir(tmp_path / "other", config))
    config.data.seed, config.data.num_images.train = 0, 7  # test is the same
    paths.append(unsaved_workdir(tmp_path / "third", config))
    paths.append(metrics_file(tmp_path / "file.json"))
    groups = compared_runs.group_runs(compared_runs.read_runs(paths))
    assert [[run.name for run in group] for group in groups] == [
        ["first", "third", "file.json"], ["other"],
    ]  # fmt: skip


def test_classes_of_ten_crops_and_refined_boxes_are_kept_apart(tmp_path):
    paths = [
        metrics_file(tmp_path / f"{name}.json", **changes)
        for name, changes in {
            "centre": {}, "ten": {"ten_crop_precision": "float32"}, "centre_too": {},
            "half": {"ten_crop_precision": "mixed_bfloat16"},
            "refined": {"refine": "grabcut"},
        }.items()
    ]  # fmt: skip
    groups = compared_runs.group_runs(compared_runs.read_runs(paths))
    assert [[run.name for run in group] for group in groups] == [
        ["centre.json", "centre_too.json"], ["ten.json"], ["half.json"],
        ["refined.json"],
    ]  # fmt: skip


def test_a_metrics_file_of_other_data_than_the_workdirs_is_kept_apart(tmp_path):
    """As bas_tf.evaluate leaves it that was given another --config."""
    config = demo.get_config("quicktest")
    own = experiment.images_of(config, "test")
    config.data.seed = 5
    other = experiment.images_of(config, "test")
    config.data.seed = 0
    paths = [
        unsaved_workdir(tmp_path / name, config, data=data)
        for name, data in (("first", own), ("again", own), ("overwritten", other))
    ]
    paths.append(unsaved_workdir(tmp_path / "older", config))  # does not say
    paths.append(metrics_file(tmp_path / "file.json", data=other))
    runs = compared_runs.read_runs(paths)
    groups = compared_runs.group_runs(runs)
    assert [[run.name for run in group] for group in groups] == [
        ["first", "again", "older"], ["overwritten", "file.json"],
    ]  # fmt: skip
    assert compared_runs.evaluated_images_of(runs[2])["data.seed"] == 5


def test_a_setting_that_an_older_run_does_not_have_is_its_default(tmp_path):
    config = demo.get_config("quicktest")
    newer = unsaved_workdir(tmp_path / "newer", config)
    del config.train["synchronized_batch_norm"], config.optimizer["momentum"]
    older = unsaved_workdir(tmp_path / "older", config)
    runs = compared_runs.read_runs([newer, older])
    assert compared_runs.differing_settings(runs) == {"newer": {}, "older": {}}


def test_names_are_as_short_as_tells_runs_apart(tmp_path):
    def names(*paths):
        return compared_runs.short_names([tmp_path / path for path in paths])

    assert names("a/full", "a/ce") == ["full", "ce"]
    assert names("a/run", "b/run", "b/ce") == ["a/run", "b/run", "b/ce"]
    assert names("x/a/run", "y/a/run") == ["x/a/run", "y/a/run"]
    assert names("a", "b/metrics.json", "int8.json") == [
        "a", "b/metrics.json", "int8.json",
    ]  # fmt: skip
