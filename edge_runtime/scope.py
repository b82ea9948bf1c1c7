"""What a router cannot read: the one rule by which a text is out of scope.

Whoever routes, calibrates or judges asks here, so that figures are those of what is served.
"""

from __future__ import annotations


def is_out_of_scope(unknown_share: float, limit: float) -> bool:
    """Whether a router knows too little of a text to judge it.

    Such a text goes to the out-of-scope arm, whatever its score.

    Parameters
    ----------
    unknown_share : float
        Share of the text's tokens that the tokenizer does not know, in [0, 1].
    limit : float
        The manifest's ``unknown_token_limit``, in [0, 1]; at the limit itself a text is in scope.
    """
    return unknown_share > limit
