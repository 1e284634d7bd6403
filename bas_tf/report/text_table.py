"""Tables with aligned columns, for the terminal and as Markdown."""

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """A table for the terminal: the first column left-aligned, the rest right-aligned.

    Each row has as many cells. Lines have no trailing spaces; no final newline.
    """
    widths = _widths(rows)
    return "\n".join("  ".join(_padded(row, widths, 1)).rstrip() for row in rows)


def markdown(rows: Sequence[Sequence[str]], *, text_columns: int = 1) -> str:
    """A Markdown table that is aligned in a terminal too; bars in cells are escaped.

    The first row is the heading; the first `text_columns` are left-aligned.
    """
    rows = [[cell.replace("|", r"\|") for cell in row] for row in rows]
    widths = _widths(rows)
    rule = [
        "-" * width if place < text_columns else "-" * (width - 1) + ":"
        for place, width in enumerate(widths)
    ]
    header, *rest = (_padded(row, widths, text_columns) for row in rows)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rest))


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _padded(row: Sequence[str], widths: Sequence[int], text_columns: int) -> list[str]:
    return [
        cell.ljust(width) if place < text_columns else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
