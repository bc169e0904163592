"""Command line tools around an agent: check a configuration, convert and verify its data."""
