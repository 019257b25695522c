"""Azure Managed Redis and the older Azure Cache for Redis."""
