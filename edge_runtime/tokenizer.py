"""Text -> token ids, as the router's model was trained to read it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from hybridroute.edge_runtime.clean_text import clean_text
from hybridroute.edge_runtime.errors import BundleError, ScoringError

# Far above what text of any script takes per token; cutting first keeps a prompt of millions of
# characters from costing seconds in the tokenizer.
_CHARACTERS_PER_TOKEN = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """One tokenized text.

    Parameters
    ----------
    ids : tuple of int
        Token ids, special tokens included, at most ``max_tokens``.
    unknown_share : float
        Unknown tokens over all tokens that stand for text, in [0, 1]; 0 for an empty text.
    """

    ids: tuple[int, ...]
    unknown_share: float


class RouterTokenizer:
    """A tokenizer.json with left truncation. Safe to use from several threads.

    Parameters
    ----------
    tokenizer : tokenizers.Tokenizer
        Owned by this object from now on: truncation and padding are set here, once.
    max_tokens : int
        Length of the model's input, special tokens included.
    """

    def __init__(self, tokenizer: Tokenizer, *, max_tokens: int) -> None:
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_tokens, direction="left")
        self._tokenizer = tokenizer
        self._max_characters = max_tokens * _CHARACTERS_PER_TOKEN
        self._unknown_id = _unknown_id(tokenizer)
        self.max_tokens = max_tokens

    @classmethod
    def from_file(cls, path: Path, *, max_tokens: int) -> RouterTokenizer:
        """Read a ``tokenizer.json``.

        Raises
        ------
        BundleError
            If the file is missing or not a tokenizer.
        """
        try:
            data = path.read_bytes()
        except OSError as exc:
            raise BundleError(f"{path} cannot be read: {exc}") from exc
        return cls.from_bytes(data, max_tokens=max_tokens)

    @classmethod
    def from_bytes(cls, data: bytes, *, max_tokens: int) -> RouterTokenizer:
        """Make it from the bytes of a ``tokenizer.json``.

        Raises
        ------
        BundleError
            If they are not a tokenizer.
        """
        try:
            held = Tokenizer.from_buffer(data)
        except Exception as exc:  # the Rust binding raises bare Exception
            raise BundleError(f"tokenizer.json is not a tokenizer: {exc}") from exc
        return cls(held, max_tokens=max_tokens)

    def encode(self, text: str) -> Encoded:
        """Tokenize one text, keeping its end if it is too long."""
        try:
            encoding = self._tokenizer.encode(clean_text(text)[-self._max_characters :])
        except Exception as exc:  # the Rust binding raises bare Exception
            raise ScoringError(
                f"the tokenizer failed on a text of {len(text)} characters: {exc}"
            ) from exc
        ids = encoding.ids
        worded = len(ids) - sum(encoding.special_tokens_mask)
        # An unknown token counts as special in some tokenizers: count it back in.
        unknown = ids.count(self._unknown_id) if self._unknown_id is not None else 0
        text_tokens = max(worded, sum(start < end for start, end in encoding.offsets))
        return Encoded(
            ids=tuple(ids),
            unknown_share=min(1.0, unknown / text_tokens) if text_tokens else 0.0,
        )

    def to_json(self) -> str:
        """The tokenizer.json text, without this object's truncation."""
        copy = Tokenizer.from_str(self._tokenizer.to_str())
        copy.no_truncation()
        text: str = copy.to_str(pretty=False)
        return text


def _unknown_id(tokenizer: Tokenizer) -> int | None:
    for token in ("[UNK]", "<unk>"):
        found: int | None = tokenizer.token_to_id(token)
        if found is not None:
            return found
    return None
