"""Criteria: what training minimises."""
