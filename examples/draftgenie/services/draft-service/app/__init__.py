"""draft-service. Keeps drafts, and tells the others of new ones."""
