"""Robots described for other simulators, from the numbers of their MuJoCo models."""
