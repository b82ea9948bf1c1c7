"""Promises on the quality drop that hold with stated confidence: tests, search, table. No torch."""
