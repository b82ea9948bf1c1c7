"""StopSignal: everyone is told once, early or late."""

from hybridroute.edge_runtime.stop_signal import StopSignal


def test_tells_once() -> None:
    told: list[str] = []
    stop = StopSignal()
    stop.tell(lambda: told.append("before"))
    assert (stop.is_set, told) == (False, [])
    stop.set()
    stop.set()
    assert (stop.is_set, told) == (True, ["before"])
    stop.tell(lambda: told.append("after"))
    assert told == ["before", "after"]


def test_what_is_told_may_ask() -> None:
    stop = StopSignal()
    seen: list[bool] = []
    stop.tell(lambda: seen.append(stop.is_set))
    stop.set()
    assert seen == [True]
