"""What TensorFlow Serving serves, and its configuration."""
