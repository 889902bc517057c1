"""Search spaces: what can be searched, as data, and how it becomes modules."""
