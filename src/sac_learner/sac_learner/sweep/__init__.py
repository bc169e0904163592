"""Many seeds and settings: Optuna chooses and remembers, runs are processes of their own."""
