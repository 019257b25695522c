"""Application Insights and diagnostic settings."""
