"""Evaluators: data, a predict_fn and a protocol in; named numbers out."""
