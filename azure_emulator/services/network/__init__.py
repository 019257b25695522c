"""Virtual networks and private DNS."""
