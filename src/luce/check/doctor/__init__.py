"""The gradient doctor: which known mistake a function makes, found from the numbers that it returns."""
