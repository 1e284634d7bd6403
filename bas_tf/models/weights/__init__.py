"""Weights that others trained, carried into a localizer; one file a source."""
