"""Container Registry."""
