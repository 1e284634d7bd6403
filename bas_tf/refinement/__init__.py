"""Maps refined by the colours of their photo: the edge goes where the object ends."""
