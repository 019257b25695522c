"""The building blocks of every service."""
