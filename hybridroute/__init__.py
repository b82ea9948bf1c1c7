"""hybridroute: route each query to a small model on the device or a large one in the cloud."""

from hybridroute._version import __version__

__all__ = ["__version__"]
