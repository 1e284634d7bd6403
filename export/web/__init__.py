"""A page that runs an exported .tflite file in the browser; photos stay there."""
