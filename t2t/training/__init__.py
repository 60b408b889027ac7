"""Functional training: a state, a jitted step over a mesh, checkpoints, and the loop."""
