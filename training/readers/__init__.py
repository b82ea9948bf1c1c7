"""Readers of outcome records, one module a format; ``read_outcomes`` recognises them."""

from hybridroute.training.readers.canonical import read_canonical, write_canonical
from hybridroute.training.readers.detect import read_outcomes
from hybridroute.training.readers.mixinstruct import read_mixinstruct
from hybridroute.training.readers.routellm import read_routellm
from hybridroute.training.readers.routerbench import read_routerbench
from hybridroute.training.readers.routerdc import read_routerdc

__all__ = [
    "read_canonical",
    "read_mixinstruct",
    "read_outcomes",
    "read_routellm",
    "read_routerbench",
    "read_routerdc",
    "write_canonical",
]
