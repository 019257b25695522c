"""Subscriptions, providers, resource groups and listings."""
