"""Pascal VOC boxes: 1-based inclusive to half-open; no entities; wrong files named."""

import numpy as np
import pytest

from bas_tf.data.annotations.voc_boxes import (
    parse_objects,
    read_objects,
    read_voc_boxes,
)
from bas_tf.errors import DataError
from tests.data.tiny_sets import voc_xml


def read(folder):
    """{path without suffix: its boxes}."""
    return {entry.names[0]: entry.boxes for entry in read_voc_boxes(folder)}


def test_pixels_from_1_with_the_last_one_inside_become_half_open(tmp_path):
    """Pixels 1 to 40 of 40 are the whole width: 0 to 40. One pixel is 1 wide."""
    (tmp_path / "val" / "cat").mkdir(parents=True)
    path = tmp_path / "val" / "cat" / "a.b.xml"
    path.write_text(voc_xml([(1, 1, 40, 30), (8, 9, 8, 9), (2.5, 3, 4, 5)]))
    boxes = read(tmp_path)
    assert list(boxes) == ["val/cat/a.b"]
    np.testing.assert_array_equal(
        boxes["val/cat/a.b"], [[0, 0, 40, 30], [7, 8, 8, 9], [1.5, 2, 4, 5]]
    )


@pytest.mark.parametrize(
    "corners",
    [
        (5, 2, 4, 4),  # moved by one it would be 4 to 4
        (5, 2, 3, 4),
        (1, 4, 3, 2),
        (4.5, 2, 4.2, 4),  # moved by one it would be 3.5 to 4.2, a box
    ],
)
def test_an_inverted_box_stays_as_it_is_written(tmp_path, corners):
    """The box before it is moved: 2 - 1 = 1."""
    (tmp_path / "a.xml").write_text(voc_xml([(2, 2, 9, 9), corners]))
    np.testing.assert_array_equal(
        read(tmp_path)["a"], np.float32([(1, 1, 9, 9), corners])
    )


def test_a_file_without_objects_has_no_boxes(tmp_path):
    (tmp_path / "a.xml").write_text(voc_xml([]))
    assert read(tmp_path) == {}


def test_names_and_corners_are_given_as_written():
    xml = voc_xml([(0, 1, 2, 3)] * 2, names=["n01440764", " n02 "])
    objects = parse_objects(xml.encode(), place="a.xml")
    assert objects.names == ["n01440764", "n02"]
    np.testing.assert_array_equal(objects.corners, [[0, 1, 2, 3]] * 2)


LAUGHS = "".join(
    f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "ha"}">' for i in range(12)
)


@pytest.mark.parametrize(
    "doctype",
    [
        f"<!DOCTYPE annotation [{LAUGHS}]>",
        '<!DOCTYPE annotation [<!ENTITY l11 SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE annotation SYSTEM "http://localhost:1/a.dtd">',
    ],
    ids=["billion laughs", "file", "network"],
)
def test_entities_are_never_resolved(doctype):
    xml = voc_xml([(1, 2, 3, 4)]).replace("thing", "&l11;")
    with pytest.raises(DataError, match="a.xml: has a DOCTYPE, which is not read"):
        parse_objects((doctype + xml).encode(), place="a.xml")


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        ("", "a.xml: not valid XML .*no element found"),
        ("<annotation>", r"a.xml: not valid XML \(.*line 1, column 12"),
        ("<html/>", "a.xml: starts with 'html'; expected 'annotation'"),
        ('<?xml version="1.0" encoding="latin-77"?><a/>', "a.xml: not valid XML"),
        ('<?xml version="1.0" encoding="utf-7"?><a/>', "a.xml: not valid XML"),
        ("<annotation><object/></annotation>", "object 1: a box is four finite"),
        (
            voc_xml([(1, 2, "x", 4)]),
            "a.xml: object 1: a box is four finite numbers, not .*'x'",
        ),
        (voc_xml([(1, 2, "", 4)]), "a.xml: object 1: a box is four finite numbers"),
        (
            voc_xml([(1, 2, 3, 4), (1, 2, "nan", 4)]),
            "object 2: a box is four finite numbers, not .*'nan'",
        ),
        (voc_xml([(1, 2, "1e999", 4)]), "object 1: a box is four finite numbers"),
        (voc_xml([(1, 2, "1e39", 4)]), "object 1: a box is four finite numbers"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, xml, message):
    (tmp_path / "a.xml").write_text(xml)
    with pytest.raises(DataError, match=message):
        read_voc_boxes(tmp_path)


def test_an_unreadable_file_is_named(tmp_path):
    (tmp_path / "a.xml").mkdir()
    with pytest.raises(DataError, match="a.xml: cannot be read"):
        read_objects(tmp_path / "a.xml")
