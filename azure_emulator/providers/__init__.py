"""One module per resource provider; each has resource types with the methods that ARM routes to."""
