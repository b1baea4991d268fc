"""Random Gemma 4 checkpoints in the published layout, for tests and for timing at real size."""
