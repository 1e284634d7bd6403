"""Faults in the data are all listed, by name, before hours are spent."""

import shutil

import pytest

from tests.commands import exit_code_in_process, only_error_line

pytestmark = pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")


@pytest.fixture
def check(photo_folder, monkeypatch, capsys):
    """Runs the command on the photo folder: (exit code, stdout lines, stderr)."""

    def run():
        code = exit_code_in_process(
            monkeypatch, "bas_tf.check_data", "--config=configs/demo.py",
            "--config.data.source=folder", f"--config.data.root={photo_folder}",
        )  # fmt: skip
        out, err = capsys.readouterr()
        return code, out.splitlines(), err

    return run


def test_good_data_is_counted(check, photo_folder):
    code, out, err = check()
    assert (code, err) == (0, "")
    assert out[:6] == [
        "train: 6 images, 6 with boxes", "  cat: 3", "  dog: 3",
        "val: 4 images, 4 with boxes", "  cat: 2", "  dog: 2",
    ]  # fmt: skip
    assert out[6].startswith(f"test: {photo_folder}/test: no such split folder")
    assert len(out) == 7


def test_every_unreadable_photo_is_listed(check, photo_folder):
    bad = [photo_folder / "train/cat/1.jpg", photo_folder / "val/dog/0.jpg"]
    bad[0].write_bytes(bad[0].read_bytes()[:600])
    bad[1].write_text("not a photo")
    code, out, err = check()
    assert code == 2
    assert only_error_line(err) == "error: 2 faults in the data, listed above"
    assert [line.partition(": ")[0] for line in out[-2:]] == [str(path) for path in bad]


@pytest.mark.parametrize("box", ["-1,0,5,5", "0,0,81,5", "0,0,5,61"])
def test_a_box_outside_its_image_is_listed(check, photo_folder, box):
    """The photos are 80 x 60."""
    with open(photo_folder / "boxes.csv", "a") as file:
        file.write(f"val/cat/1.jpg,{box}\n")
    code, out, err = check()
    assert code == 2
    assert only_error_line(err) == "error: 1 faults in the data, listed above"
    assert out[-1].startswith("val/cat/1.jpg: box [[14.0, 20.0, 34.0, 40.0], [")
    assert out[-1].endswith("reaches outside the 80x60 image")


def test_a_box_up_to_the_edge_is_no_fault(check, photo_folder):
    with open(photo_folder / "boxes.csv", "a") as file:
        file.write("val/cat/1.jpg,0,0,80,60\n")
    assert check()[0] == 0


def test_a_fault_of_a_whole_split_is_a_fault(check, photo_folder):
    """Unlike a split that is left out."""
    (photo_folder / "val" / "ape").mkdir()
    code, out, err = check()
    assert code == 2
    assert f"{photo_folder}/val/ape: not one of the 2 classes" in out[-1]
    only_error_line(err)


def test_a_folder_without_training_photos_stops_at_once(check, photo_folder):
    (photo_folder / "boxes.csv").unlink()
    shutil.rmtree(photo_folder / "train" / "cat")
    (photo_folder / "train" / "cat").mkdir()
    code, _, err = check()
    assert code == 2
    assert f"{photo_folder}/train/cat: no images" in only_error_line(err)
