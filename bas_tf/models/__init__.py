"""Backbones, the foreground generator and the localizer they compose."""
