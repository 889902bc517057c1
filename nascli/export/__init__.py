"""A trained network outside of nascli: what it is deployed as, and the proof that it computes the same."""
