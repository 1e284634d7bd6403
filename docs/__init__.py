"""The handbook: its pages, and the code that draws its figures."""
