"""What can go wrong with each robot, injected into its emulator behind the real driver.

`table.FAULTS` is the one list of faults: tests run it, and `bench/faults.py` prints it with times.
"""
