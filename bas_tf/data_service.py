"""A removed command; says so."""

from bas_tf import entry_point

if __name__ == "__main__":
    entry_point.run_removed("bas_tf.data_service")
