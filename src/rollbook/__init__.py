"""Rollbook: one roster for a school's services, with a privacy promise that the code keeps."""

__version__ = "0.1.0"
