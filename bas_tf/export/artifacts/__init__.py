"""SavedModel and ONNX files, their signatures and model card."""
