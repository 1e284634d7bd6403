"""How time and memory grow with classes, pixels, batch and images."""
