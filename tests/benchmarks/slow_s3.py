"""An S3 server behind a network that takes its time: started as a process, it serves until killed.

slow_s3.py server                moto's S3; says its port
slow_s3.py network PORT MS       passes all to a port, each reply so many milliseconds late;
                                 says its own port, and for each line that it reads how many
                                 requests it has passed since the last one
"""

import asyncio
import re
import sys
import threading

_REQUEST = re.compile(rb"(?:GET|PUT|HEAD|POST|DELETE) /\S* HTTP/1\.1\r\n")


class Network:
    """Passes what it is sent between clients and a server."""

    def __init__(self, port, latency):
        self.requests = 0
        self._port = port
        self._latency = latency

    async def serve(self):
        """Say the port, and answer questions about requests until there are no more."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            print(self.requests, flush=True)
            self.requests = 0

    async def _connected(self, client, replies):
        server, requests = await asyncio.open_connection("127.0.0.1", self._port)
        asked = asyncio.Event()
        await asyncio.gather(
            self._ask(client, requests, asked), self._reply(server, replies, asked)
        )

    async def _ask(self, client, requests, asked):
        while data := await client.read(1 << 16):
            self.requests += len(_REQUEST.findall(data))
            asked.set()
            requests.write(data)
            await requests.drain()
        requests.close()

    async def _reply(self, server, replies, asked):
        while data := await server.read(1 << 16):
            if asked.is_set():  # the first piece of a reply; the others come right behind it
                asked.clear()
                await asyncio.sleep(self._latency)
            replies.write(data)
            await replies.drain()
        replies.close()


def serve():
    """Say the port, and serve."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    print(server.get_host_and_port()[1], flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["server"]:
            serve()
        case ["network", port, milliseconds]:
            asyncio.run(Network(int(port), float(milliseconds) / 1000).serve())
        case _:
            sys.exit(__doc__)
