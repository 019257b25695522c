"""Role assignments and locks."""
