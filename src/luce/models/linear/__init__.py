"""The linear model: rows, losses and penalties put together into an objective with all its derivatives."""
