"""Exported files evaluated as the model is, and timed."""
