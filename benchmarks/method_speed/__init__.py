"""The speed of a training step and of inference, next to a plain port and PyTorch."""
