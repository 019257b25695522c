"""Container Apps."""
