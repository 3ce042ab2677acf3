"""Outcomes: predictions matched with their labels, and what is watched of them."""
