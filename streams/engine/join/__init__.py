"""Predictions and their labels, matched however late and in whatever order they come."""
