"""Masks of several classes in one photo, from the maps of each (journal version).

Maps of the labels become seeds, seeds confident labels, those train a network of edges,
and a random walk that edges hold back carries the seeds over the objects.
"""
