"""hybridroute: route each query to a small model on the device or a large one in the cloud."""

import logging
from typing import TYPE_CHECKING

from hybridroute._version import __version__

if TYPE_CHECKING:
    from hybridroute.answered import Answered
    from hybridroute.async_client import AsyncHybridClient
    from hybridroute.async_stream import AsyncChatStream
    from hybridroute.callable_arm import CallableArm
    from hybridroute.client import HybridClient
    from hybridroute.cloud import CloudArm, CloudSettings
    from hybridroute.controller import ControllerSettings, DialChange
    from hybridroute.controller_targets import Budget, Latency, Quota, Share
    from hybridroute.decision import ArmEstimate, Decision
    from hybridroute.decision_log import DecisionLog
    from hybridroute.edge_runtime.chat import ChatRequest, Completion, CompletionChunk, Usage
    from hybridroute.edge_runtime.errors import (
        ArmError,
        ArmRefused,
        ArmTimeout,
        ArmUnavailable,
        BundleError,
        ConfigError,
        ContextOverflow,
        DataError,
        EngineMissing,
        HybridRouteError,
        ModelMissing,
        NoAnswer,
        NoCapableArm,
        RequestError,
        ScoringError,
        StreamInterrupted,
        TrainingError,
    )
    from hybridroute.edge_runtime.llama_arm import LlamaArm
    from hybridroute.edge_runtime.model_memory import ModelMemory
    from hybridroute.edge_runtime.prices import Prices
    from hybridroute.edge_runtime.protocols import Arm, Capabilities, EngineOptions, StoppableArm
    from hybridroute.expectation import Expectation
    from hybridroute.exploration import Exploration
    from hybridroute.hub import Bundle
    from hybridroute.promise import Promise, StandingPromise
    from hybridroute.responses import ChatCompletion, ChatCompletionChunk
    from hybridroute.sessions import SessionSettings
    from hybridroute.setting import Setting
    from hybridroute.stream import ChatStream

__all__ = [
    "Answered",
    "Arm",
    "ArmError",
    "ArmEstimate",
    "ArmRefused",
    "ArmTimeout",
    "ArmUnavailable",
    "AsyncChatStream",
    "AsyncHybridClient",
    "Budget",
    "Bundle",
    "BundleError",
    "CallableArm",
    "Capabilities",
    "ChatCompletion",
    "ChatCompletionChunk",
    "ChatRequest",
    "ChatStream",
    "CloudArm",
    "CloudSettings",
    "Completion",
    "CompletionChunk",
    "ConfigError",
    "ContextOverflow",
    "ControllerSettings",
    "DataError",
    "Decision",
    "DecisionLog",
    "DialChange",
    "EngineMissing",
    "EngineOptions",
    "Expectation",
    "Exploration",
    "HybridClient",
    "HybridRouteError",
    "Latency",
    "LlamaArm",
    "ModelMemory",
    "ModelMissing",
    "NoAnswer",
    "NoCapableArm",
    "Prices",
    "Promise",
    "Quota",
    "RequestError",
    "ScoringError",
    "SessionSettings",
    "Setting",
    "Share",
    "StandingPromise",
    "StoppableArm",
    "StreamInterrupted",
    "TrainingError",
    "Usage",
    "__version__",
]

_HOMES = {
    "Answered": "answered",
    "Arm": "edge_runtime.protocols",
    "ArmEstimate": "decision",
    "AsyncChatStream": "async_stream",
    "AsyncHybridClient": "async_client",
    "Budget": "controller_targets",
    "Bundle": "hub",
    "CallableArm": "callable_arm",
    "Capabilities": "edge_runtime.protocols",
    "ChatCompletion": "responses",
    "ChatCompletionChunk": "responses",
    "ChatRequest": "edge_runtime.chat",
    "ChatStream": "stream",
    "CloudArm": "cloud",
    "CloudSettings": "cloud",
    "Completion": "edge_runtime.chat",
    "CompletionChunk": "edge_runtime.chat",
    "ControllerSettings": "controller",
    "Decision": "decision",
    "DecisionLog": "decision_log",
    "DialChange": "controller",
    "EngineOptions": "edge_runtime.protocols",
    "Expectation": "expectation",
    "Exploration": "exploration",
    "HybridClient": "client",
    "Latency": "controller_targets",
    "LlamaArm": "edge_runtime.llama_arm",
    "ModelMemory": "edge_runtime.model_memory",
    "Prices": "edge_runtime.prices",
    "Promise": "promise",
    "Quota": "controller_targets",
    "SessionSettings": "sessions",
    "Setting": "setting",
    "Share": "controller_targets",
    "StandingPromise": "promise",
    "StoppableArm": "edge_runtime.protocols",
    "Usage": "edge_runtime.chat",
}

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562), so that the package stays light."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = import_module(f"{__name__}.{_HOMES.get(name, 'edge_runtime.errors')}")
    value: object = getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
