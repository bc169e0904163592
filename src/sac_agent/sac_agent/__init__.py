"""Runs the policy of a learning robot."""
