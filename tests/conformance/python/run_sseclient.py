"""sseclient-py over requests, as its documentation shows it."""

import requests
import sseclient

from driver import drive, headers


def connect(url, last, deadline):
    with requests.get(url, stream=True, headers=headers(last), timeout=deadline.limit_ms / 1000) as response:
        response.raise_for_status()
        for event in sseclient.SSEClient(deadline.watch(response)).events():
            yield {"id": event.id or "", "event": event.event, "data": event.data}


drive(connect, (requests.ConnectionError, requests.exceptions.ChunkedEncodingError))
