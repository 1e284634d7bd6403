"""The synthetic set: drawn animals, their boxes and masks."""
