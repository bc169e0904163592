"""Drivers of the three robots and the twins they are trained on."""
