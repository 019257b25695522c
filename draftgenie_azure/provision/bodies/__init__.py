"""Desired resource bodies: pure functions from configuration and outputs to dict, one module per kind of resource."""
