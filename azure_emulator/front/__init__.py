"""From the socket to a service's handler."""
