"""The learner's loop without ROS: updates as data call for them, policies, checkpoints."""
