"""Files of labels and boxes, and how their boxes find their photos."""
