"""The demo: one small model on the device, another behind real HTTP, the same queries twice."""
