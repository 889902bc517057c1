"""The page that `nascli report` writes: what is gathered, what each section shows, how it is drawn."""
