"""What the policy sees, from sensor messages."""
