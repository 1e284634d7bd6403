"""Cells as lines whose columns stand aligned: for the terminal and as Markdown."""

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """A table for the terminal: the first column to the left, the rest to the right.

    Args:
      rows: cells, as many in each row.

    Returns:
      A line each, without blanks at its end; no final newline.
    """
    widths = _widths(rows)
    return "\n".join("  ".join(_padded(row, widths, 1)).rstrip() for row in rows)


def markdown(rows: Sequence[Sequence[str]], *, text_columns: int = 1) -> str:
    """A Markdown table that a terminal shows aligned; a bar in a cell ends none.

    Args:
      rows: cells, as many in each row; the first row is the heading.
      text_columns: so many columns are to the left, the others to the right.

    Returns:
      A line each, the rule under the heading too; no final newline.
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
