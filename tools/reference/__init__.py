"""The reference, transformers on a CPU: how it is installed, and the values recorded from it."""
