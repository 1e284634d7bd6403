"""Trained localizers leave as files, and the files are evaluated again."""
