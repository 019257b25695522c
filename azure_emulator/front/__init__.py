"""From a socket to a service's handler."""
