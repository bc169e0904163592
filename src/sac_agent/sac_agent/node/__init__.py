"""The agent in ROS: everything of this package that knows rclpy, but for its tools."""
