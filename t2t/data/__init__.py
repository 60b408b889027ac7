"""Text in, token batches out; no JAX here, and Grain only in `draws`."""
