"""The list of streams comes as JSON on standard input; what was heard of each goes out as one line of JSON.

These libraries read one response and do not return by themselves, so the driver does what their users do: after a
broken connection it asks again with the last id it has.
"""

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

# Streams at a time.
WIDTH = 8


class TooLate(Exception):
    """The stream's time limit has passed."""


class Deadline:
    """The end of one stream's time."""

    def __init__(self, limit_ms):
        self.limit_ms = limit_ms
        self.at = time.monotonic() + limit_ms / 1000

    def watch(self, pieces):
        """Passes the pieces of a response on, as long as there is time."""
        for piece in pieces:
            if time.monotonic() > self.at:
                raise TooLate(f"no end within {self.limit_ms} ms")
            yield piece


def is_done(stream, messages):
    """Whether the last message was the last to come, by the words of the list: "end", "closed" or {"count": n}."""
    if isinstance(stream["until"], dict):
        return len(messages) == stream["until"]["count"]
    return messages[-1]["event"] == "end"


def hear(stream, connect, broken):
    """Reads one stream to its end and tells what was heard."""
    deadline = Deadline(stream["limit"])
    messages = []
    breaks = 0
    error = "the stream closed before its end"
    while True:
        try:
            last = messages[-1]["id"] if messages else ""
            for message in connect(stream["url"], last, deadline):
                messages.append(message)
                if is_done(stream, messages):
                    error = None
                    if isinstance(stream["until"], dict):  # the stream goes on
                        break
            break
        except broken as cause:
            breaks += 1
            if error is None:
                break
            if not stream["returns"]:
                error = f"the connection broke: {cause!r}"
                break
        except Exception as cause:  # whatever a client dies of is its answer
            error = str(cause) if isinstance(cause, TooLate) else repr(cause)
            break
    return {"name": stream["name"], "messages": messages, "breaks": breaks, "error": error}


def headers(last):
    """What a client asks with."""
    return {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}


def drive(connect, broken):
    """Drives one client through the list. `connect` yields messages and raises one of `broken` if the connection breaks."""
    lock = threading.Lock()

    def one(stream):
        line = json.dumps(hear(stream, connect, broken))
        with lock:
            print(line, flush=True)

    with ThreadPoolExecutor(WIDTH) as pool:
        list(pool.map(one, json.load(sys.stdin)))
