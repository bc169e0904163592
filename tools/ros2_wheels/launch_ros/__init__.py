"""The part of ROS 2's ``launch_ros`` that the launch files of this workspace need."""

from . import actions, descriptions, parameter_descriptions, substitutions

__all__ = ['actions', 'descriptions', 'parameter_descriptions', 'substitutions']
