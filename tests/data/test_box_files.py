"""Which boxes a box file gives: by whose name, of which thing, at what size."""

import numpy as np
import pytest
from PIL import ExifTags, Image

from bas_tf.data.annotations.box_names import PhotoNames, is_left_out
from bas_tf.data.sources.folder import FolderSource
from bas_tf.errors import DataError
from bas_tf.jobs import data_check
from tests.data import tiny_sets
from tests.data.tiny_sets import voc_xml

CAT = "val/cat/0.jpg"


def write_coco(root, boxes, *, names=("cat",), **size):
    """Boxes [(category, corners)] of CAT, which is 80 x 60."""
    kinds = {CAT: [names[c] for c, _ in boxes]}
    tiny_sets.write_coco(root, {CAT: [box for _, box in boxes]}, kinds, **size)


def boxes_of_cat(root, **options):
    return FolderSource(root=str(root), **options).records("val")[0].boxes_original


def check(root):
    """{kind: messages} of the faults about boxes, and the notes on the box file."""
    report = data_check.check_source(FolderSource(root=str(root)))
    faults = {
        kind: [f.message for f in report.faults if f.kind == kind]
        for kind in sorted({f.kind for f in report.faults})
        if kind.startswith("box")
    }
    return faults, [n.message for n in report.notes if n.kind == "box_file"]


IDS = ("train/cat/7.jpg", "train/cat/0.jpg", "val/cat/0.jpg", "val/dog/5.PNG",
       "val/dog/a.jpg", "val/dog/A.jpg", "val/dog/5.jpg")  # fmt: skip


@pytest.mark.parametrize(
    ("name", "photo"),
    [
        ("Validation/DOG/5.png", "val/dog/5.PNG"),
        (r"D:\x\val\cat\0.JPG", "val/cat/0.jpg"),
        ("./val//cat/0.jpg", "val/cat/0.jpg"),
        ("7.jpg", "train/cat/7.jpg"),
        ("cat/7.jpg", "train/cat/7.jpg"),
        ("train/7.jpg", "train/cat/7.jpg"),
        ("images/7.jpg", "train/cat/7.jpg"),
        ("test/images/7.jpg", "left out"),
        ("test/x/images/7.jpg", None),  # says test, train has it
        ("test/cat/7.jpg", "left out"),
        ("cat/0.jpg", None),  # of train and of val
        ("val/cats/0.jpg", None),
        ("val/dog/a.jpg", "val/dog/a.jpg"),
        ("val/dog/A.JPG", None),
        ("val/dog/5", None),  # 5.PNG and 5.jpg
        ("val/cat/0", "val/cat/0.jpg"),
        ("", None),
    ],
)
def test_a_name_means_one_photo_or_none(name, photo):
    (found,) = PhotoNames(IDS, ("train", "val")).find([name])
    assert ("left out" if is_left_out(found) else found) == photo


def test_folders_that_differ_among_names_are_not_ignored():
    names = PhotoNames(IDS, ("train", "val"))
    assert names.find(["a/7.jpg", "b/5.png"]) == [None, None]
    assert names.find(["a/7.jpg", "a/5.png"]) == ["train/cat/7.jpg", "val/dog/5.PNG"]


def test_two_names_of_one_photo_are_a_fault(photo_folder):
    with open(photo_folder / "boxes.csv", "a", encoding="utf-8") as file:
        file.write("other/val/cat/0.jpg,1,2,3,4\n")
    with pytest.raises(DataError, match="boxes.csv: 2 of its 11 names"):
        boxes_of_cat(photo_folder)


@pytest.mark.parametrize("text", ["image,x_min,y_min,x_max,y_max\n", "image\n"])
def test_a_box_file_without_boxes_is_a_fault(photo_folder, text):
    (photo_folder / "boxes.csv").write_text(text, encoding="utf-8")
    faults, _ = check(photo_folder)
    assert "boxes.csv" in faults["box_file"][0]


def test_what_does_not_match_is_counted_on_both_sides(photo_folder):
    path = photo_folder / "boxes.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("val/dog/", "val/wolf/"), encoding="utf-8")
    (message,) = check(photo_folder)[0]["box_file"]
    assert "2 of its 10 names" in message
    assert "2 of 10 photos" in message
    assert "val/wolf/0.jpg" in message
    assert "val/dog/1.jpg" in message


WHOLE, OWN = (0, 0, 80, 60), (10, 20, 30, 40)


@pytest.mark.parametrize(
    "names", [("Cat", "meadow"), ("cat", "dog"), ("CAT", "no class")]
)
def test_a_box_of_another_thing_does_not_count(photo_folder, names):
    write_coco(photo_folder, [(0, OWN), (1, WHOLE)], names=names)
    np.testing.assert_array_equal(boxes_of_cat(photo_folder), [OWN])
    (note,) = check(photo_folder)[1]
    assert "1 boxes" in note


def test_boxes_all_of_one_thing_count_with_a_note(photo_folder):
    write_coco(photo_folder, [(0, OWN), (0, WHOLE)], names=("thing",))
    assert len(boxes_of_cat(photo_folder)) == 2
    assert "'thing'" in check(photo_folder)[1][0]


def test_boxes_of_two_things_that_are_no_class_are_a_fault(photo_folder):
    write_coco(photo_folder, [(0, OWN), (1, WHOLE)], names=("animal", "meadow"))
    with pytest.raises(DataError, match=r"boxes.json.*'animal', 'meadow'"):
        boxes_of_cat(photo_folder)


def test_boxes_of_a_smaller_copy_are_a_fault_or_scaled(photo_folder):
    """40 x 30 of 80 x 60: every number is doubled."""
    write_coco(photo_folder, [(0, (5, 10, 15, 20))], width=40, height=30)
    ((message,),) = check(photo_folder)[0].values()
    assert CAT in message
    assert "40x30" in message
    assert "80x60" in message
    with pytest.raises(DataError, match="rescale_boxes"):
        boxes_of_cat(photo_folder)
    scaled = boxes_of_cat(photo_folder, rescale_boxes=True)
    np.testing.assert_array_equal(scaled, [OWN])


@pytest.mark.parametrize("size", [(0, 0), (80, 60), (0, 60)])
def test_a_size_that_is_right_or_missing_is_no_fault(photo_folder, size):
    write_coco(photo_folder, [(0, OWN)], width=size[0], height=size[1])
    assert check(photo_folder)[0] == {}


@pytest.mark.parametrize("size", [(40, 40), (60, 80)])
def test_other_proportions_are_never_scaled(photo_folder, size):
    write_coco(photo_folder, [(0, OWN)], width=size[0], height=size[1])
    with pytest.raises(DataError, match=f"{CAT}.*{size[0]}x{size[1]}.*80x60"):
        boxes_of_cat(photo_folder, rescale_boxes=True)


def test_the_size_before_exif_turns_the_photo_is_a_fault(photo_folder):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (80, 60)).save(photo_folder / CAT, exif=exif)
    write_coco(photo_folder, [(0, OWN)], width=80, height=60)
    with pytest.raises(DataError, match=r"80x60, the photo is 60x80.*EXIF"):
        boxes_of_cat(photo_folder)


def test_shares_are_no_boxes(photo_folder):
    write_coco(photo_folder, [(0, (0.1, 0.2, 0.5, 1))])
    with pytest.raises(DataError, match="boxes.json.*shares"):
        boxes_of_cat(photo_folder)
    assert list(check(photo_folder)[0]) == ["box_frame"]


def test_corners_of_0_are_named_as_pascal_voc_has_them(photo_folder):
    tiny_sets.write_voc(photo_folder, {CAT: [(-1, 4, 20, 30)]}, size_wh=(80, 60))
    (message,) = check(photo_folder)[0]["box_outside"]
    assert "boxes/val/cat/0.xml" in message
    assert "0, 5, 20, 30" in message
    np.testing.assert_array_equal(boxes_of_cat(photo_folder), [[0, 4, 20, 30]])


@pytest.mark.parametrize("tag", ["path", "filename"])
def test_a_flat_xml_file_names_its_photo_within(photo_folder, tag):
    (photo_folder / "boxes.csv").unlink()
    folder = photo_folder / "boxes" / "Annotations"
    folder.mkdir(parents=True)
    names = {"path": r"C:\me\val\cat\0.jpg", "filename": CAT}
    head = f"<{tag}>{names[tag]}</{tag}>"
    text = voc_xml([(11, 21, 30, 40)], head=head, size_wh=(80, 60))
    (folder / "000001.XML").write_text(text, encoding="utf-8")
    np.testing.assert_array_equal(boxes_of_cat(photo_folder), [OWN])
