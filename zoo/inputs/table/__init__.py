"""Tables: rows of numbers, words, dates and booleans, which networks take as float32 features."""
