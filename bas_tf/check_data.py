"""Checks a config's data before hours are spent on it.

  python -m bas_tf.check_data --config=configs/X.py --config.data.root=DIR

Counts images and boxes per split and class, reads every file, and exits 2 when one
cannot be read or a box lies outside its image.
"""

from collections import Counter
from pathlib import Path

from bas_tf import entry_point
from bas_tf.errors import DataError, UserError

SPLITS = ("train", "val", "test")


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    from bas_tf import experiment

    config = entry_point.config()
    source = experiment.open_source(config)
    faults = []
    for split in SPLITS:
        try:
            records = source.records(split)
        except DataError as error:
            if split == "train":
                raise
            if lacks_split(config.data, split):
                print(f"{split}: {error}")
            else:
                faults.append(str(error))
            continue
        print(describe_split(split, records, source.class_names))
        faults += [fault for record in records if (fault := fault_of(record))]
    for fault in faults:
        print(fault)
    if faults:
        raise UserError(f"{len(faults)} faults in the data, listed above")


def lacks_split(data, split: str) -> bool:
    """Whether the folder of a split is not there at all, as val or test may be."""
    return data.source == "folder" and not (Path(data.root) / split).is_dir()


def describe_split(split: str, records, class_names) -> str:
    """One line of counts, then one a class."""
    counts = Counter(record.label for record in records)
    boxed = sum(record.boxes_original is not None for record in records)
    lines = [f"{split}: {len(records)} images, {boxed} with boxes"]
    lines += [f"  {name}: {counts[i]}" for i, name in enumerate(class_names)]
    return "\n".join(lines)


def fault_of(record) -> str | None:
    """What is wrong with a record, naming it; None when nothing is."""
    try:
        height, width = record.load_image().shape[:2]
    except DataError as error:
        return str(error)
    boxes = record.boxes_original
    if boxes is not None and ((boxes < 0) | (boxes > [width, height] * 2)).any():
        return (
            f"{record.image_id}: box {boxes.tolist()} reaches outside the "
            f"{width}x{height} image"
        )
    return None


if __name__ == "__main__":
    entry_point.define_config_flag()
    entry_point.run(main)
