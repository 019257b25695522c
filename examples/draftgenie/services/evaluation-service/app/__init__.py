"""evaluation-service. Compares each finished note with its draft."""
