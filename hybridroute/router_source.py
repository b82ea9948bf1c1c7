"""Where a client's router comes from: a bundle that this version can route with, and its scorer."""

from __future__ import annotations

import os
from pathlib import Path

from hybridroute.edge_runtime.bundle import Bundle, default_bundle_path
from hybridroute.edge_runtime.errors import BundleError, ConfigError
from hybridroute.hub import Bundle as NamedBundle
from hybridroute.lazy_scorer import LazyScorer
from hybridroute.routed_text import TEXT_RULE


def open_bundle(bundle: str | os.PathLike[str] | Bundle | None = None) -> Bundle:
    """The bundle, if this version can route with it; the package's default if None.

    Raises
    ------
    BundleError
        If it is missing, altered, or made under another rule for the routed text.
    """
    if bundle is None:
        bundle = default_bundle_path()
    if isinstance(bundle, (str, os.PathLike)):
        bundle = NamedBundle.load(Path(bundle))
    if not isinstance(bundle, Bundle):
        raise ConfigError(f"bundle is a {type(bundle).__name__}; give a path or a Bundle")
    rule = bundle.manifest.text_rule
    if rule != TEXT_RULE:
        raise BundleError(
            f"the bundle was made for the text rule {rule!r}; this hybridroute routes by "
            f"{TEXT_RULE!r}. Train or fetch a bundle for this version"
        )
    return bundle


def open_pair_bundle(bundle: str | os.PathLike[str] | Bundle | None = None) -> Bundle:
    """As :func:`open_bundle`, for what is about two arms alone; a pool's bundle is refused."""
    opened = open_bundle(bundle)
    pool = opened.manifest.pool
    if pool is not None:
        raise ConfigError(
            f"the bundle at {opened.path} routes among {', '.join(arm.name for arm in pool.arms)}, "
            "and this is for two arms: give a bundle of two, or judge several with `hybridroute "
            "compare`"
        )
    return opened


def scorer_of(bundle: Bundle, *, threads: int = 2, spins: bool = True) -> LazyScorer:
    """The bundle's scorer, loaded when the first text is scored."""
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ConfigError(f"router_threads is {threads!r}; give a whole number of at least 1")
    return LazyScorer(
        lambda: bundle.scorer(threads=threads, spins=spins), bundle.manifest.score_kind
    )
