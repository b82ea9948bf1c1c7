"""What runs on the device: the bundle, the scorer, the model registry and the llama.cpp arm.

Knows nothing of the cloud and nothing of torch. Import what you need from its modules.
"""
