"""The report of a run: tables, pictures and curves on one self-contained page."""
