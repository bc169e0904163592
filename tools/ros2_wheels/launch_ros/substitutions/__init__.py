"""Paths inside ROS packages."""

from .packages import ExecutableInPackage, FindPackage, FindPackagePrefix, FindPackageShare

__all__ = ['ExecutableInPackage', 'FindPackage', 'FindPackagePrefix', 'FindPackageShare']
