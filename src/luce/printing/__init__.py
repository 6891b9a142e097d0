"""Numbers, counts and tables as text for people, and data for programs; knows nothing of what they are about."""
