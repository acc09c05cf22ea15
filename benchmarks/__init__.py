"""Searches timed side by side: this package, what users have instead of it, and the arithmetic alone."""
