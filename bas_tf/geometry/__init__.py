"""Boxes, frames and components in NumPy and OpenCV; no TensorFlow."""
