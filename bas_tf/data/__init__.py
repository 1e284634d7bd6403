"""Sources of labelled photos, decoding, preprocessing and the input pipeline."""
