"""Routers for more than two arms: estimators, their judging, and how they become a bundle."""
