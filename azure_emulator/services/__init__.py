"""Azure's services, one folder each."""
