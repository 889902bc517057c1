"""The stages of the pipeline, one command each."""
