"""Microsoft Entra ID and Graph, as far as clients need them."""
