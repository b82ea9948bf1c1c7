"""Routers for more than two arms: estimators, and how they become a bundle."""
