"""Experiments, as data only: `get_config(variant)` returns a ConfigDict."""
