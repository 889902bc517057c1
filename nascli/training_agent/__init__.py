"""Training agents: the loops of a task, and the evaluators that searches ask for scores."""
