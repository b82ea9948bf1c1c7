"""What the options of ``hybridroute train`` can be set to."""

from __future__ import annotations

from enum import StrEnum


class LabelName(StrEnum):
    """The labels of Hybrid LLM."""

    DET = "det"
    PROB = "prob"
    TRANS = "trans"


class FitName(StrEnum):
    """What is fitted: the whole network, or a head on the frozen encoder."""

    DEBERTA = "deberta"
    RIDGE = "ridge"
    LOGISTIC = "logistic"
    KNN = "knn"


class HeadsName(StrEnum):
    """The kinds of heads."""

    LABEL = "label"
    ARMS = "arms"


class PoolingName(StrEnum):
    """The kinds of pooling."""

    MEAN = "mean"
    FIRST = "first"


class PrecisionName(StrEnum):
    """Of the matrix products; auto takes bf16 where the CPU has it."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"


class SplitName(StrEnum):
    """What is kept whole when rows are split."""

    PROMPT = "prompt"
    DOMAIN = "domain"


class WeightName(StrEnum):
    """Of the exported graph."""

    INT8 = "int8"
    FP32 = "fp32"
