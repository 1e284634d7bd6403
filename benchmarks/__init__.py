"""What the project costs: time and memory of its commands, measured."""
