"""The catalogue of known mistakes, a subject a file; a new one is an entry in the file of its subject."""
