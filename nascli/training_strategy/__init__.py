"""Training strategies: what one step of supernet training updates."""
