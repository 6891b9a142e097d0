"""The one shell of all HTML pages: their frame, their look, figures as SVG; nothing is loaded from anywhere."""
