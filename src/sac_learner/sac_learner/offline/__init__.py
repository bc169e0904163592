"""Learning from bags alone, evaluated in the twin; what two replays have in common."""
