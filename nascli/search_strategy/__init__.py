"""Search strategies: which architecture to try next."""
