"""User-assigned identities."""
