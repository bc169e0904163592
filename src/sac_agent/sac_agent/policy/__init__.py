"""The weights that act."""
