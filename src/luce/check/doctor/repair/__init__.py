"""The repair: the line of somebody's code that is wrong, and the smallest change of it with which the code is right."""
