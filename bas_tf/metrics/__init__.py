"""Accumulators of metrics: sums and counts."""
