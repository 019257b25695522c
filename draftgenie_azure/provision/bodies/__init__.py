"""Desired resource bodies: pure functions, configuration and outputs in, dict out. One module per kind of thing."""
