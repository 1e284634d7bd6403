"""Labelled data sets from photos: predicted once, written for other tools."""
