"""The speed of a training step and of inference, beside a plain port and PyTorch."""
