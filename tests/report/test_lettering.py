"""Letters of any script can be told apart; what the fonts lack is a question mark."""

import unicodedata

import numpy as np
import pytest

from bas_tf.report.lettering import cut_text, put_text, text_width


def drawn(text):
    image = np.full([40, 400, 3], 255, np.uint8)
    put_text(image, text, (5, 28), 20, (0, 0, 0))
    return image


@pytest.mark.parametrize(
    "letters", ["éèêeñnßłøœ", "ЖДαβ", "猫犬東京", "고양이", "かナ"]
)
def test_letters_are_drawn_and_differ(letters):
    pictures = {drawn(letter).tobytes() for letter in letters}
    assert len(pictures) == len(letters)
    assert not pictures & {drawn("?").tobytes(), drawn(" ").tobytes()}


@pytest.mark.parametrize("text", ["🐱", "ท", "\udce9"])  # the last: a byte, no UTF-8
def test_what_the_fonts_lack_is_a_question_mark(text):
    np.testing.assert_array_equal(drawn(text), drawn("?"))


def test_letters_in_parts_are_drawn_as_whole_ones():
    name = "été café"
    parts = unicodedata.normalize("NFD", name)
    assert parts != name
    np.testing.assert_array_equal(drawn(parts), drawn(name))


def test_a_line_break_is_a_space():
    np.testing.assert_array_equal(drawn("a\tb\nc"), drawn("a b c"))


@pytest.mark.parametrize("text", ["very " * 40, "東京" * 40])
def test_a_long_text_is_cut(text):
    cut = cut_text(text, 20, 200)
    assert cut.endswith("…") and text_width(cut, 20) <= 200
    assert cut_text("ab", 20, 200) == "ab"
    assert cut_text("ab", 20, 2) == ""
