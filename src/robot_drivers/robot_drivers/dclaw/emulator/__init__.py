"""A Dynamixel bus in software: the real SDK talks to it over a pseudo-terminal."""
