"""Trained localizers leave as files: SavedModel and TFLite, each evaluated again."""
