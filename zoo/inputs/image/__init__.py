"""Images: encoded files, which networks take as pixels."""
