"""The shapes that apps know the roster by, one folder for each standard."""
