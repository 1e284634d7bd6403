"""Stateless TensorFlow functions, safe in tf.data, tf.function and export."""
