"""Exports trained localizers to files, and evaluates the files."""
