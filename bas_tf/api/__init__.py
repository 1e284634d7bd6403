"""The Python interface: train, load, localize, evaluate, export."""
