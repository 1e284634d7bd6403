"""A localizer behind TensorFlow Serving: the client that asks it."""
