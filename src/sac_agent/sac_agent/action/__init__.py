"""From what the policy says to commands."""
