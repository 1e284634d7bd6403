"""What runs an exported .tflite file on a device: files to copy, without TensorFlow."""
