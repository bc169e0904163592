"""Twins of the robots: MuJoCo behind the same sensor values. The only place with physics."""
