"""A comparison as one self-contained page with its figures and numbers."""
