"""The learner in ROS: topics, the thread that learns, who feeds it, when a run is over."""
