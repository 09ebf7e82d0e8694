"""The search for a better recipe: the space, the processes that train trials, and the study that stores them."""
