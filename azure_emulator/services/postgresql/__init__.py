"""PostgreSQL Flexible Server."""
