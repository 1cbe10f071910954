"""One module per format that a trained model is written to."""
