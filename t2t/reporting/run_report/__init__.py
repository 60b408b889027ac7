"""`t2t report`: what became of runs, as one page."""
