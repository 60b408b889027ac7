"""What a training run would need and how fast it could be, worked out before it starts."""
