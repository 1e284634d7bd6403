"""The training step, its optimizer, its loop and its checkpoints."""
