"""Metrics, and their evaluation over tasks."""
