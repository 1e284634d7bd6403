"""What an installed wheel must do, run by its own Python outside the clone.

  VENV/bin/python tests/installed_package.py EMPTY_FOLDER

Draws 40 photos into class folders, trains on them, localizes, evaluates, exports and
loads each export again.
"""

import os
import subprocess
import sys
from pathlib import Path

from PIL import Image

import bas_tf
from bas_tf.data.drawings.source import SyntheticSource


def draw_photos(root: Path, count: int) -> list[Path]:
    """Drawings as files in class folders."""
    source = SyntheticSource(image_size=(96, 96), num_images={"train": count}, seed=0)
    paths = []
    for i, record in enumerate(source.records("train")):
        folder = root / source.class_names[record.label]
        folder.mkdir(parents=True, exist_ok=True)
        paths.append(folder / f"{i:02}.jpg")
        Image.fromarray(record.load_image()).save(paths[-1], quality=95)
    return paths


def main() -> None:
    os.chdir(sys.argv[1])
    assert not Path(bas_tf.__file__).is_relative_to(Path(__file__).parent.parent)
    photos = draw_photos(Path("photos"), 40)

    model = bas_tf.train(
        "photos", workdir="runs/photos", train__epochs=2, train__classifier_epochs=1,
        train__self_training_epochs=1,
        data__batch_size=8, data__resize_size=(72, 72), data__crop_size=(64, 64),
        export__calibration_images=8,
    )  # fmt: skip
    model = bas_tf.load("runs/photos")
    found = model.localize(photos[0])
    print(found.label, found.score, found.box, found.map.shape)
    found.plot().save("found.png")
    print(model.evaluate("photos", split="val"))
    formats = ["tflite_int8", "tflite_float32", "onnx", "saved_model"]
    for path in model.export("out", formats=formats):
        print(path, bas_tf.load(path).localize(photos[0]).box)
    command = [Path(sys.executable).with_name("bas-tf"), "localize", "--model=out/"]
    command[-1] += "localizer_float32.tflite"
    subprocess.run([*command, "--output=found", photos[1]], check=True)
    assert Path("found/predictions.json").is_file()


if __name__ == "__main__":
    main()
