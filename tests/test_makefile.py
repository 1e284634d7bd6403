"""Each target of the Makefile has one recipe, and the suite runs all of its tests."""

import re
from pathlib import Path

MAKEFILE = (Path(__file__).parent.parent / "Makefile").read_text()


def test_each_phony_target_has_one_recipe():
    (listed,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.M)
    targets = re.findall(r"^([a-z]+):(?!=)", MAKEFILE, re.M)
    assert sorted(targets) == sorted(listed.split())


def test_only_the_quick_tests_leave_some_out():
    recipes = dict(re.findall(r"^([a-z]+):.*\n((?:\t.*\n)+)", MAKEFILE, re.M))
    assert "pytest" in recipes["test"] and "not slow" not in recipes["test"]
    assert "not slow" in recipes["quicktest"]
