"""TFLite (LiteRT) files."""
