"""The report of an evaluation: one self-contained HTML page, its figures, its numbers as JSON."""
