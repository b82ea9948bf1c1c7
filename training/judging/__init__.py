"""Judging routers of any number of arms, all by one protocol and one set of definitions."""
