"""How a router is made: outcome table -> labels -> fit -> calibrate -> export -> evaluate.

Readers, labels, metrics, calibration and evaluation need no torch. Import from the modules.
"""
