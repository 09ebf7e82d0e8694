"""Where images come from, and the pipeline that brings them to a network."""
