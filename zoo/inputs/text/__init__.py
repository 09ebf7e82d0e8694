"""Texts as input: tokens of a WordPiece vocabulary, made alike by clients and by served graphs."""
