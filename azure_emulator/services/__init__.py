"""Azure's services, a folder each."""
