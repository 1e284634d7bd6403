"""Images per second of a full evaluation, beside the reference's loop."""
