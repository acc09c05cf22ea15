"""Plain data and contracts that every other room shares. Imports nothing of the rooms above."""
