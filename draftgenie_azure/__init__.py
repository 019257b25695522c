"""The building blocks of the deployment steps; imports neither of the two scripts at the top level."""
