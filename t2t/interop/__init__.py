"""Checkpoints of other systems, in and out.

One declarative table per model family relates their tensor names to our parameter paths, and is
used in both directions. `families/` has those of Hugging Face.
"""
