"""What the deployment steps are built from; imports neither of the two scripts at the top level."""
