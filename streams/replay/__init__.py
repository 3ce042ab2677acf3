"""Recorded history through the engine: from files or from a range of topics, with the alerts the live worker would have raised."""
