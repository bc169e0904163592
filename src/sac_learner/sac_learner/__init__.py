"""Learns a policy from transitions: replay, Soft Actor-Critic, checkpoints; no robot code."""
