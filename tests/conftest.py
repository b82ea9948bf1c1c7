"""Its being here puts this folder on the import path, so that tests below share the fakes."""

import signal


def pytest_configure() -> None:
    """Let the programs under test receive Ctrl-C.

    A shell starts its background jobs with SIGINT ignored, and children inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
