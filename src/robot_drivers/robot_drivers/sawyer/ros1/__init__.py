"""ROS 1 in plain Python, as far as a robot that speaks it has to be spoken to."""
