"""Figure 1 of the paper: how strongly what is hidden activates a class."""
