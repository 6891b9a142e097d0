"""Tables as people have them: reading, what becomes of each column, training and prediction on them, model files."""
