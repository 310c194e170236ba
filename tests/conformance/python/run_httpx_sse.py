"""httpx-sse, as its documentation shows it."""

import httpx
from httpx_sse import connect_sse

from driver import drive, headers


def connect(url, last, deadline):
    with httpx.Client(timeout=deadline.limit_ms / 1000) as client:
        with connect_sse(client, "GET", url, headers=headers(last)) as source:
            for event in deadline.watch(source.iter_sse()):
                yield {"id": event.id, "event": event.event, "data": event.data}


drive(connect, (httpx.TransportError,))
