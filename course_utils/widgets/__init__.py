"""Things to play with in a notebook: thin shells around tested functions."""
