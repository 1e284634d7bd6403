"""Several runs side by side: comparisons, and ablations."""
