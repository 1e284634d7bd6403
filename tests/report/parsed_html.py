"""A page as its tests look at it; each element must be closed and come from inside."""

from html.parser import HTMLParser


class Parsed(HTMLParser):
    """Tags with their attributes, the text, and the text of each cell of the tables."""

    def __init__(self, page: str):
        super().__init__()
        self.open, self.tags, self.cells, self.text = [], [], [], ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("td", "th"):
            self.cells.append("")
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data

    def attributes(self, tag: str) -> list[dict]:
        return [attributes for found, attributes in self.tags if found == tag]

    def cells_after(self, first: str, count: int) -> list[str]:
        start = self.cells.index(first) + 1
        return self.cells[start : start + count]


def assert_self_contained(page: str) -> Parsed:
    """Nothing comes from outside and nothing runs."""
    parsed = Parsed(page)
    assert not [word for word in ("http:", "https:", "@import") if word in page]
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in parsed.tags}
    for _, attributes in parsed.tags:
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("xlink:href", "#").startswith("#")
        assert "href" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
    return parsed
