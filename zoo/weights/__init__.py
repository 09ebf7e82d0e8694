"""Reading other people's checkpoints into zoo's networks."""
