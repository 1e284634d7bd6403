"""Every link between pages leads somewhere, and every page and picture is linked."""

import re

import pytest

from tests.commands import REPO
from tests.docs import pages


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page):
    lost = []
    for link in pages.links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        is_there = target.exists()
        if is_there and anchor:
            is_there = target.suffix == ".md" and anchor in pages.anchors(target)
        if not is_there:
            lost.append(link)
    assert not lost


def test_every_page_and_picture_of_the_handbook_is_linked():
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in pages.PAGES
        for link in pages.links(page)
    }
    shown = {
        path
        for path in (REPO / "docs").iterdir()
        if path.suffix in (".md", ".png", ".jpg")
    }
    assert sorted(path.name for path in shown - linked) == []


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page):
    """Paths from the top of the project, in `code`; patterns as well."""
    rooms = ("bas_tf", "export", "configs", "tests", "benchmarks", "docs")
    named = re.compile(rf"(?:{'|'.join(rooms)})/[\w/.*-]*")
    # What a page tells its reader to write.
    own = {"configs/mine.py", "bas_tf/models/backbones/plain_net.py"}
    spans = {span.partition(":")[0] for span in pages.code(page)} - own
    paths = [span for span in spans if named.fullmatch(span)]
    assert [path for path in sorted(paths) if not list(REPO.glob(path))] == []


def test_anchors_are_githubs(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A, `b` and C-d: 1.5\n```\n# no heading\n```\n## Twice\n## Twice\n"
    )
    assert pages.anchors(page) == {"a-b-and-c-d-15", "twice", "twice-1"}
