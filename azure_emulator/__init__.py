"""An Azure on loopback: ARM and the services a deployment uses, answering under Azure's own names."""
