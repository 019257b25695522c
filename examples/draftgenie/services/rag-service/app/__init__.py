"""rag-service. Makes the finished note (DFN) of a draft."""
