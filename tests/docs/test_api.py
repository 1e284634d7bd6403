"""docs/api.md is what `make docs` writes, and names what there is."""

import ast

from docs import api


def entry(source: str) -> str:
    return api.module_section("some.module", ast.parse(source))


def test_the_stored_page_is_current():
    assert api.PAGE.read_text() == api.api_page(), "run make docs"


def test_a_function():
    text = entry(
        '"""A module."""\ndef f(x: int, *, y=2) -> str:\n    """One\n    line.\n\n'
        '    Args:\n      x: more.\n    """\ndef _g(): ...\ndef main(args): ...\n'
    )
    assert text == (
        "## some.module\n\nA module.\n\n- `f(x: int, *, y=2) -> str`: One line.\n"
    )


def test_a_class_with_a_method_and_a_dataclass():
    text = entry(
        "class A:\n    def __init__(self, n: int): ...\n"
        "    def go(self) -> None:\n        '''Goes.'''\n    def _stay(self): ...\n"
        "class B:\n    '''Two fields.'''\n    x: int\n    y: str = ''\n"
    )
    assert "- `class A(n: int)`\n  - `go() -> None`: Goes.\n" in text
    assert "- `class B(x: int, y: str = '')`: Two fields.\n" in text
    assert "_stay" not in text


def test_stars_and_brackets_of_prose_are_no_markdown():
    text = entry("def f():\n    'f2*(x) of <n>, not `a*<b>`.'\n")
    assert text.endswith("- `f()`: f2\\*(x) of \\<n>, not `a*<b>`.\n")


def test_a_module_without_anything_public_is_left_out():
    assert entry('"""Nothing."""\n_X = 1\n') == ""


def test_the_page_has_the_methods_own_functions():
    page = api.PAGE.read_text()
    assert "## bas_tf.losses\n" in page and "## export.tflite\n" in page
    assert "- `bas_terms(localizer: Localizer, images: tf.Tensor" in page
