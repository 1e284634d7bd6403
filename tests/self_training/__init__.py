"""Tests of the self-training room."""
