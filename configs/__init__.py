"""Experiments: data only. `get_config(variant)` returns an ml_collections ConfigDict."""
