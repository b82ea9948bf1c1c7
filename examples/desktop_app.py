"""A chat window with the quality dial as a slider; the SDK runs inside the program.

Set OPENAI_API_KEY and run ``python examples/desktop_app.py``. CLOUD_BASE_URL and CLOUD_MODEL name
any other OpenAI-compatible endpoint. The small model comes with ``hybridroute models pull
smollm2-135m``. Tk comes with Python, on Debian as the package python3-tk.

Enter sends, Shift+Enter begins a new line, Escape stops. Without a network the device answers.
"""

import os
import queue
import sys
import threading
import tkinter as tk
from tkinter import font, ttk
from typing import NamedTuple
from uuid import uuid4

from hybridroute import CloudSettings, Decision, HybridClient, HybridRouteError
from hybridroute.stream import ChatStream

POLL_MS = 30
EVENTS_AT_ONCE = 200  # so that a flood of chunks leaves the window time for keys and clicks
AWAY = "The cloud did not answer; it is asked again when needed."
INK, QUIET, PAPER, FRAME, LINE = "#1d2330", "#5b6474", "#ffffff", "#f2f4f7", "#d0d5dd"
GREEN, BLUE, ALARM = "#067647", "#175cd3", "#b42318"
PLACES = {"device": ("On this device", GREEN), "cloud": ("In the cloud", BLUE)}


class Piece(NamedTuple):
    """Some words of the answer, and the decision behind them."""

    text: str
    decision: Decision


class Ended(NamedTuple):
    """The answer is over; ``decision`` is None if it never came to one."""

    decision: Decision | None
    stopped: bool
    error: str


Asked = list[dict[str, str]]
Event = Piece | Ended | str  # text alone is a note for the line at the bottom
Events = queue.SimpleQueue[Event]


class Answering:
    """One answer, read in a thread of its own. Tk is not touched here: events go into a queue."""

    def __init__(self, client: HybridClient, asked: Asked, session: str, events: Events) -> None:
        self._client, self._asked, self._session, self._events = client, asked, session, events
        self._stopped = threading.Event()
        self._stream: ChatStream | None = None
        threading.Thread(target=self._read, name="answering", daemon=True).start()

    def stop(self) -> None:
        """Cancel; an Ended event follows. Closing may wait for a token, so a thread does it."""
        self._stopped.set()
        if self._stream is not None:
            threading.Thread(target=self._stream.close, name="stopping", daemon=True).start()

    def _read(self) -> None:
        decision, error = None, "the program has a fault; see its console"
        try:
            self._stream = self._client.chat.completions.create(
                messages=self._asked, session=self._session, max_tokens=512, stream=True
            )
            with self._stream as stream:
                if not self._stopped.is_set():
                    for chunk in stream:
                        text = "".join(choice.delta.content or "" for choice in chunk.choices)
                        if text:
                            self._events.put(Piece(text, chunk.hybridroute))
                decision, error = stream.decision, ""
        except HybridRouteError as exc:
            error = str(exc)
            decision = None if self._stream is None else self._stream.decision
        finally:
            self._events.put(Ended(decision, self._stopped.is_set(), error))


class Transcript(ttk.Frame):
    """The conversation: what was asked, what came, and under each answer who gave it and why."""

    def __init__(self, parent: tk.Misc, family: str) -> None:
        super().__init__(parent)
        self.text = tk.Text(
            self, wrap="word", state="disabled", font=(family, 12), fg=INK, bg=PAPER, relief="flat",
            padx=18, pady=12, spacing3=3, width=72, height=22, takefocus=False,
        )  # fmt: skip
        bar = ttk.Scrollbar(self, command=self.text.yview)
        self.text.configure(yscrollcommand=bar.set)
        bar.pack(side="right", fill="y")
        self.text.pack(side="left", fill="both", expand=True)
        self.text.bind("<Configure>", lambda _: self.text.see("end"))
        tags = self.text.tag_configure
        tags("you", font=(family, 12, "bold"), spacing1=14, lmargin1=80, justify="right")
        tags("why", font=(family, 10), foreground=QUIET, spacing3=6)
        tags("failed", font=(family, 10), foreground=ALARM)
        for place, (_, colour) in PLACES.items():
            tags(place, font=(family, 10, "bold"), foreground=colour, spacing1=10)

    def add(self, text: str, tag: str = "") -> None:
        """Append; the view follows only if its end was in sight, or the person has spoken."""
        follows = self.text.yview()[1] >= 0.999 or tag == "you"
        self.text.configure(state="normal")
        self.text.insert("end", text, tag)
        self.text.configure(state="disabled")
        if follows:
            self.text.see("end")


class Dial(ttk.Frame):
    """The quality dial, and what to expect of where it stands."""

    def __init__(self, parent: tk.Misc, client: HybridClient, family: str) -> None:
        super().__init__(parent, padding=(16, 10, 16, 6))
        self._client = client
        ttk.Label(self, text="Cheaper").grid(row=0, column=0)
        self.scale = tk.Scale(
            self, from_=0.0, to=1.0, resolution=0.01, orient="horizontal", showvalue=False,
            highlightthickness=2, highlightbackground=FRAME, borderwidth=0, sliderrelief="flat",
            troughcolor=LINE, background="#475467", activebackground=BLUE,
        )  # fmt: skip
        self.scale.set(client.dial if isinstance(client.dial, float) else 0.5)
        self.scale.configure(command=self._turn)
        self.scale.grid(row=0, column=1, sticky="ew", padx=10)
        ttk.Label(self, text="Better").grid(row=0, column=2)
        self.said = _wrapping(ttk.Label(self, foreground=QUIET, font=(family, 10)))
        self.said.grid(row=1, column=0, columnspan=3, sticky="ew", pady=(4, 0))
        self.columnconfigure(1, weight=1)
        self._turn(self.scale.get())

    def _turn(self, value: str | float) -> None:
        try:
            self._client.dial = float(value)
        except HybridRouteError as exc:  # the bundle's calibration found nothing to turn
            self.said.configure(text=str(exc))
            self.scale.configure(state="disabled")
        else:
            self.said.configure(text=f"Dial {float(value):.2f}: {self._expected()}")

    def _expected(self) -> str:
        expected = self._client.expect()
        if not expected.calibrated:
            return "not calibrated for these models; roughly the cloud's share, the drop is unknown"
        if expected.cloud_share is None or expected.quality_drop is None:
            return expected.reason or "nothing was measured here"
        share = f"{expected.cloud_share:.0%} of queries to the cloud"
        return f"expect about {share}, quality drop {expected.quality_drop:.3f}"


class ChatWindow:
    """The window: transcript, dial, and the line to type in."""

    def __init__(self, root: tk.Tk, client: HybridClient) -> None:
        self.root, self._client, self._events = root, client, Events()
        self._session, self._history = str(uuid4()), Asked()
        self._answering: Answering | None = None
        self._said = self._polling = ""
        self._lay_out(font.nametofont("TkDefaultFont").actual("family"))
        threading.Thread(target=self._warm_up, name="warming", daemon=True).start()
        self._poll()

    def _lay_out(self, family: str) -> None:
        root = self.root
        root.title("hybridroute")
        root.configure(background=FRAME)
        style = ttk.Style(root)
        style.theme_use("clam")
        style.configure(".", background=FRAME, foreground=INK, bordercolor=LINE, lightcolor=FRAME)
        style.configure("TScrollbar", gripcount=0, background=LINE, troughcolor=PAPER)
        root.minsize(420, 360)
        self.dial, self.transcript = Dial(root, self._client, family), Transcript(root, family)
        self.note = _wrapping(ttk.Label(root, foreground=QUIET, padding=(16, 0, 16, 8)))
        foot = ttk.Frame(root, padding=(16, 10, 16, 4))
        foot.columnconfigure(0, weight=1)
        self.dial.pack(fill="x")
        self.note.pack(side="bottom", fill="x")  # before the transcript, which takes what is left
        foot.pack(side="bottom", fill="x")
        self.transcript.pack(fill="both", expand=True)
        self.entry = tk.Text(foot, height=3, width=20, wrap="word", font=(family, 12), padx=8,
                             pady=6, relief="flat", highlightthickness=1, fg=INK, bg=PAPER,
                             highlightbackground=LINE, highlightcolor=BLUE)  # fmt: skip
        self.entry.grid(row=0, column=0, rowspan=2, sticky="ew", padx=(0, 10))
        self.send_button = ttk.Button(foot, text="Send", command=self.send)
        self.stop_button = ttk.Button(foot, text="Stop", command=self.stop, state="disabled")
        self.send_button.grid(row=0, column=1)
        self.stop_button.grid(row=1, column=1)
        self.entry.bind("<Return>", lambda _: self.send())
        self.entry.bind("<Shift-Return>", lambda _: None)  # Text's own: a new line
        root.bind("<Escape>", lambda _: self.stop())
        root.protocol("WM_DELETE_WINDOW", self.close)
        self.entry.focus_set()

    def send(self) -> str:
        """Ask what was typed, unless an answer is under way; "break" ends Enter's event."""
        question = self.entry.get("1.0", "end").strip()
        if not question or self._answering is not None:
            return "break"
        self.entry.delete("1.0", "end")
        self.transcript.add(f"{question}\n", "you")
        self._history.append({"role": "user", "content": question})
        self._said = ""
        self._answering = Answering(self._client, [*self._history], self._session, self._events)
        self._buttons(asking=True)
        return "break"

    def stop(self) -> None:
        """Cancel the answer under way, if there is one."""
        if self._answering is not None:
            self._answering.stop()

    def close(self) -> None:
        """Stop what runs and close the window; the client is closed by who made it."""
        self.stop()
        self.root.after_cancel(self._polling)
        self.root.destroy()

    def _warm_up(self) -> None:
        try:
            self._client.warm_up()
        except HybridRouteError as exc:
            self._events.put(f"On this device: {exc}")

    def _poll(self) -> None:
        for _ in range(min(self._events.qsize(), EVENTS_AT_ONCE)):
            self._show(self._events.get())
        self._polling = self.root.after(POLL_MS, self._poll)

    def _show(self, event: Event) -> None:
        if isinstance(event, str):
            self.note.configure(text=event)
        elif isinstance(event, Ended):
            self._end(event)
        elif text := event.text if self._said else event.text.lstrip():
            if not self._said:
                place = "device" if event.decision.arm == "edge" else "cloud"
                self.transcript.add(f"{PLACES[place][0]} ({event.decision.model})\n", place)
            self._said += text
            self.transcript.add(text)

    def _end(self, event: Ended) -> None:
        self._answering = None
        if self._said:
            self._history.append({"role": "assistant", "content": self._said})
            self.transcript.add("" if self._said.endswith("\n") else "\n")
        else:  # a question without an answer is no part of the conversation
            self._history.pop()
        if event.error:
            self.transcript.add(f"Broken off: {event.error}\n", "failed")
        elif event.stopped:
            self.transcript.add("Stopped.\n", "why")
        if event.decision is not None:
            self.transcript.add(f"{_why(event.decision)}\n", "why")
            asked = "cloud" in (event.decision.arm, event.decision.fallback_from)
            failed = event.error or event.decision.fallback_from
            if asked and not event.stopped:
                self.note.configure(text=AWAY if failed else "")
        self._buttons(asking=False)

    def _buttons(self, *, asking: bool) -> None:
        self.send_button.configure(state="disabled" if asking else "normal")
        self.stop_button.configure(state="normal" if asking else "disabled")


def _why(decision: Decision) -> str:
    said = decision.explain()
    if decision.score is None or decision.reason.startswith("score_"):
        return said  # the sentence has score and threshold, where there are any
    return f"{said} The score was {decision.score:.3f}, the threshold {decision.threshold:.3f}."


def _wrapping(label: ttk.Label) -> ttk.Label:
    """Have a label break its lines at its own width."""
    label.bind("<Configure>", lambda event: label.configure(wraplength=max(event.width - 36, 100)))
    return label


def main() -> None:
    cloud = CloudSettings(
        base_url=os.environ.get("CLOUD_BASE_URL", "https://api.openai.com/v1"),
        model=os.environ.get("CLOUD_MODEL", "gpt-4o-mini"),
        api_key_env="OPENAI_API_KEY",  # the variable's name; the key is read when it is sent
        connect_timeout_s=3.0,  # without a network the device is to answer soon
        max_retries=0,
    )
    with HybridClient(edge="smollm2-135m", cloud=cloud) as client:
        ChatWindow(tk.Tk(), client).root.mainloop()


if __name__ == "__main__":
    try:
        main()
    except (HybridRouteError, tk.TclError) as error:  # TclError: there is no display
        sys.exit(str(error))
