"""Public data sets in their real layouts, tiny: three classes of 40 x 30 JPEGs."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import scipy.io
from PIL import Image

from bas_tf.data.sources import shards
from bas_tf.data.sources.cub import CubSource

SIZE_WH = (40, 30)
BIRDS = ("001.Black_footed_Albatross", "002.Laysan_Albatross", "003.Sooty_Albatross")
SYNSETS = ("n01440764", "n01443537", "n01484850")
TRAIN, TEST = 4, 2  # images a class


def box_of(label: int, i: int) -> tuple[int, int, int, int]:
    """Where the drawn object is, half-open."""
    return 4 + 3 * i, 5 + label, 20 + 3 * i, 25


def draw(label: int, i: int) -> np.ndarray:
    """A dark ground with a bright rectangle of the class's colour on the box."""
    image = np.full([SIZE_WH[1], SIZE_WH[0], 3], 30, np.uint8)
    x0, y0, x1, y1 = box_of(label, i)
    image[y0:y1, x0:x1] = 60
    image[y0:y1, x0:x1, label] = 230
    return image


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=95, subsampling=0)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def replace_line(path: Path, number: int, line: str) -> None:
    lines = path.read_text().split("\n")
    lines[number - 1] = line
    path.write_text("\n".join(lines))


def assert_drawn_on_box(image: np.ndarray, box: np.ndarray, channel: int) -> None:
    """The picture is bright inside its box and dark outside, up to JPEG's edges."""
    x0, y0, x1, y1 = box.astype(int)
    assert image.shape == (SIZE_WH[1], SIZE_WH[0], 3)
    assert image[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1, channel].min() > 200
    outside = np.ones(image.shape[:2], bool)
    outside[y0 - 2 : y1 + 2, x0 - 2 : x1 + 2] = False
    assert image[outside].max() < 60


def make_cub(parent: Path) -> Path:
    """CUB_200_2011/ and segmentations/ as the two archives leave them."""
    root, tables, number = parent / "CUB_200_2011", {}, 0
    for label, name in enumerate(BIRDS):
        tables.setdefault("classes.txt", []).append(f"{label + 1} {name}")
        for i in range(TRAIN + TEST):
            number += 1
            file = f"{name}/{name[4:]}_{i:04d}_{700 + number}.jpg"
            save(root / "images" / file, draw(label, i))
            x0, y0, x1, y1 = box_of(label, i)
            for table, line in {
                "images.txt": file,
                "image_class_labels.txt": str(label + 1),
                "train_test_split.txt": str(int(i < TRAIN)),
                "bounding_boxes.txt": f"{x0:.1f} {y0:.1f} {x1 - x0:.1f} {y1 - y0:.1f}",
            }.items():
                tables.setdefault(table, []).append(f"{number} {line}")
            votes = np.zeros(SIZE_WH[::-1], np.uint8)
            votes[y0:y1, x0:x1] = 153  # three of five annotators
            votes[y0:y1, x0] = 102  # two
            mask = (parent / "segmentations" / file).with_suffix(".png")
            save(mask, votes)
    for table, lines in tables.items():
        write_lines(root / table, lines)
    return root


def voc_xml(
    boxes: list[tuple],
    *,
    names: list[str] | None = None,
    file: str = "photo",
    head: str | None = None,
    size_wh: tuple[int, int] | None = SIZE_WH,
) -> str:
    """An annotation of the official form; boxes are xmin, ymin, xmax, ymax.

    `head` is there instead of what names the photo.
    """
    objects = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin>"
        f"<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for (x0, y0, x1, y1), name in zip(
            boxes, names or ["thing"] * len(boxes), strict=True
        )
    )
    if head is None:
        head = f"<folder>val</folder><filename>{file}</filename>"
    if size_wh is not None:
        width, height = size_wh
        head += (
            f"<size><width>{width}</width><height>{height}</height><depth>3</depth>"
            "</size>"
        )
    return f"<annotation>{head}{objects}</annotation>"


Boxes = dict[str, list[tuple]]  # of each image: half-open corners
Labelled = list[tuple[str, int, list[tuple]]]  # file's stem, label, corners as written


def write_csv(root: Path, boxes: Boxes) -> None:
    """boxes.csv of a folder of photos."""
    rows = [
        f"{name},{','.join(map(str, box))}"
        for name, of_photo in boxes.items()
        for box in of_photo
    ]
    write_lines(root / "boxes.csv", ["image,x_min,y_min,x_max,y_max", *rows])


def write_coco(root: Path, boxes: Boxes, kinds=None, **size) -> None:
    """boxes.json instead of boxes.csv; `kinds` has the boxes' categories, by image."""
    kinds = kinds or {}
    (root / "boxes.csv").unlink(missing_ok=True)
    names = sorted({kind for of_photo in kinds.values() for kind in of_photo})
    images, annotations = [], []
    for i, (file_name, of_photo) in enumerate(boxes.items()):
        images.append({"id": i, "file_name": file_name, **size})
        for k, (x0, y0, x1, y1) in enumerate(of_photo):
            annotation = {"image_id": i, "bbox": [x0, y0, x1 - x0, y1 - y0]}
            if kinds:
                annotation["category_id"] = names.index(kinds[file_name][k])
            annotations.append(annotation)
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": i, "name": name} for i, name in enumerate(names)],
    }
    (root / "boxes.json").write_text(json.dumps(content), encoding="utf-8")


def write_voc(root: Path, boxes: Boxes, **size) -> None:
    """boxes/ instead of boxes.csv: pixels from 1, the last one inclusive."""
    (root / "boxes.csv").unlink(missing_ok=True)
    for name, of_photo in boxes.items():
        path = (root / "boxes" / name).with_suffix(".xml")
        shifted = [(x0 + 1, y0 + 1, x1, y1) for x0, y0, x1, y1 in of_photo]
        write_lines(path, [voc_xml(shifted, **size)])


def ilsvrc_val() -> Labelled:
    """The validation images; the first has two boxes."""
    images = [(label, i) for i in range(TEST) for label in (2, 0, 1)]
    return [
        (
            f"ILSVRC2012_val_{number:08d}",
            label,
            [box_of(label, i), (0, 1, 5, 7)][: 2 if number == 1 else 1],
        )
        for number, (label, i) in enumerate(images, start=1)
    ]


def make_ilsvrc(root: Path, *, flat: bool) -> Path:
    """train/<synset>/ and val/, without boxes."""
    for label, synset in enumerate(SYNSETS):
        for i in range(TRAIN):
            save(root / f"train/{synset}/{synset}_{i}.JPEG", draw(label, i))
    for number, (stem, label, _) in enumerate(ilsvrc_val()):
        folder = root / "val" if flat else root / "val" / SYNSETS[label]
        save(folder / f"{stem}.JPEG", draw(label, number // len(SYNSETS)))
    return root


def make_boxed_ilsvrc(root: Path) -> Path:
    """A flat val with the official annotations next to its images."""
    write_xml_folder(make_ilsvrc(root, flat=True) / "val")
    return root


def make_shards(parent: Path) -> Path:
    """Those of a tiny CUB."""
    source = CubSource(root=str(make_cub(parent)))
    shards.write_shards(source, source.splits, parent / "shards")
    return parent / "shards"


def write_xml_folder(folder: Path, images: Labelled | None = None) -> None:
    """The official validation annotations, extracted."""
    for stem, label, boxes in images or ilsvrc_val():
        names = [SYNSETS[label]] * len(boxes)
        write_lines(folder / f"{stem}.xml", [voc_xml(boxes, names=names, file=stem)])


def write_val_gt(root: Path, images: Labelled | None = None) -> None:
    r"""val_gt.txt: synset\\file width height ; corners."""
    lines = [
        rf"{SYNSETS[label]}\\{stem}.JPEG 40 30 ; "
        + " ".join(str(n) for box in boxes for n in box)
        for stem, label, boxes in images or ilsvrc_val()
    ]
    write_lines(root / "val_gt.txt", lines)


def write_localization(folder: Path, images: Labelled | None = None) -> None:
    """The four tables of the WSOL evaluation kit."""
    images = images or ilsvrc_val()
    tables = {
        "image_ids.txt": [f"val/{stem}.JPEG" for stem, _, _ in images],
        "image_sizes.txt": [f"val/{stem}.JPEG,40,30" for stem, _, _ in images],
        "class_labels.txt": [f"val/{stem}.JPEG,{label}" for stem, label, _ in images],
        "localization.txt": [
            f"val/{stem}.JPEG,{','.join(map(str, box))}"
            for stem, _, boxes in images
            for box in boxes
        ],
    }
    for name, lines in tables.items():
        write_lines(folder / name, lines)


def make_open_images(root: Path) -> Path:
    """Three classes with two train and one val photo each, masks and metadata.

    The first val photo has two instances; its ignore mask covers one of them in part.
    The second's masks have half its size and no ignore mask.
    """
    tables = {}
    for label, name in enumerate(("01226z", "0138tl", "014j1m")):
        for split, count in (("train", 2), ("val", 1)):
            for i in range(count):
                image = f"{split}/{name}/{label}{i}fa.jpg"
                save(root / image, draw(label, i))
                key = f"{split}/class_labels.txt"
                tables.setdefault(key, []).append(f"{image},{label}")
                if split == "val":
                    lines = _write_masks(root, image[:-4], label)
                    key = f"{split}/localization.txt"
                    tables.setdefault(key, []).extend(
                        f"{image},{line}" for line in lines
                    )
    for table, lines in tables.items():
        write_lines(root / "metadata/OpenImages" / table, lines)
    return root


def _write_masks(root: Path, stem: str, label: int) -> list[str]:
    width, height = SIZE_WH
    first = np.zeros([height, width], bool)
    first[5:15, 4:12] = True
    if label == 0:
        second, ignore = np.zeros_like(first), np.zeros_like(first)
        second[10:20, 20:30] = True
        ignore[12:25, 25:35] = True
        masks = {"_m_1a": first, "_m_2b": second, "_ignore": ignore}
        lines = [f"{stem}_m_1a.png,{stem}_ignore.png", f"{stem}_m_2b.png,"]
    else:
        masks = {"_m_1a": first[::2, ::2]}
        lines = [f"{stem}_m_1a.png,"]
    for suffix, mask in masks.items():
        save(root / f"{stem}{suffix}.png", mask)  # one bit a pixel, as published
    return lines


CARS = ("AM General Hummer SUV 2000", "Acura RL Sedan 2012", "Acura TL Sedan 2012")
BREEDS = ("n02085620-Chihuahua", "n02085782-Japanese_spaniel", "n02085936-Maltese_dog")
VARIANTS = ("707-320", "727-200", "F-16A/B")


def _structs(rows: list[dict]) -> np.ndarray:
    """What savemat writes as an array of structs."""
    structs = np.empty(len(rows), [(name, object) for name in rows[0]])
    for i, row in enumerate(rows):
        structs[i] = tuple(row.values())
    return structs


def _corners_row(label: int, i: int) -> dict:
    sides = ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2")
    row = dict(zip(sides, map(np.float64, box_of(label, i)), strict=True))
    return {**row, "class": np.float64(label + 1)}


def make_cars(root: Path, *, one_table: bool) -> Path:
    """Either cars_annos.mat with car_ims/, or devkit/ with two folders of photos."""
    tables = {"train": [], "test": []}
    for label in range(3):
        for i in range(TRAIN + TEST):
            split, row = ("train" if i < TRAIN else "test"), _corners_row(label, i)
            number = f"{len(tables['train']) + len(tables['test']) + 1:06d}.jpg"
            folder = "car_ims" if one_table else f"cars_{split}"
            save(root / folder / number, draw(label, i))
            if one_table:
                row |= {"relative_im_path": f"car_ims/{number}"}
                row |= {"test": np.uint8(split == "test")}
            else:
                row |= {"fname": number}
            tables[split].append(row)
    names = {"class_names": np.array(CARS, object)}
    if one_table:
        rows = tables["train"] + tables["test"]
        scipy.io.savemat(
            root / "cars_annos.mat", {**names, "annotations": _structs(rows)}
        )
        return root
    (root / "devkit").mkdir()
    scipy.io.savemat(root / "devkit" / "cars_meta.mat", names)
    for split, file in (
        ("train", "devkit/cars_train_annos.mat"),
        ("test", "cars_test_annos_withlabels.mat"),
    ):
        scipy.io.savemat(root / file, {"annotations": _structs(tables[split])})
    return root


def make_dogs(root: Path) -> Path:
    """Lists, photos and annotations; the last photo of a breed has five dogs."""
    lists = {"train": [], "test": []}
    for label, breed in enumerate(BREEDS):
        for i in range(TRAIN + TEST):
            name = f"{breed}/{breed.partition('-')[0]}_{i}"
            lists["train" if i < TRAIN else "test"].append(f"{name}.jpg")
            save(root / "Images" / f"{name}.jpg", draw(label, i))
            boxes = [box_of(label, i)]
            if i == TRAIN + TEST - 1:
                boxes += [(n, n, n + 9, n + 8) for n in range(4)]
            write_lines(root / "Annotation" / name, [voc_xml(boxes)])
    for split, names in lists.items():
        content = {"file_list": np.array(names, object)[:, np.newaxis]}
        scipy.io.savemat(root / f"{split}_list.mat", content)
    return root


def make_aircraft(root: Path) -> Path:
    """fgvc-aircraft-2013b/ with data/: the fourth photo of a variant is of val."""
    data, tables = root / "data", {"train": [], "val": [], "test": []}
    boxes, number = [], 34308
    for label, variant in enumerate(VARIANTS):
        for i in range(TRAIN + TEST):
            number += 1
            save(data / "images" / f"{number:07d}.jpg", draw(label, i))
            split = "test" if i >= TRAIN else "val" if i == TRAIN - 1 else "train"
            tables[split].append(f"{number:07d} {variant}")
            boxes.append(f"{number:07d} {' '.join(map(str, box_of(label, i)))}")
    write_lines(data / "variants.txt", VARIANTS)
    write_lines(data / "images_box.txt", boxes)
    for split, lines in tables.items():
        write_lines(data / f"images_variant_{split}.txt", lines)
    return root
