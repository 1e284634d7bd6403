"""The handbook says what is so: links, commands, figures, quoted messages."""
