"""What a robot shall do: goals, rewards, ends, in pure numpy over named sensor values."""
