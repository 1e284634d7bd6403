"""Images per second of a full evaluation, next to the reference's loop."""
