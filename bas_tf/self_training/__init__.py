"""A localizer as its own teacher: masks of its training photos, and rounds."""
