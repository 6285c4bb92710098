"""Promises for stores that can't append, over S3 as moto has it and a network that fails."""

import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import uuid
from contextlib import suppress

import pytest

from mlkit.errors import StorageFault
from mlkit.store.store import Store
from mlkit.tracking.health import TrackingWarning

pytest.importorskip("moto.server", reason="NOT TESTED HERE: S3; moto isn't installed")
s3fs = pytest.importorskip("s3fs", reason="NOT TESTED HERE: S3; s3fs isn't installed")

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:moto|botocore|aiobotocore|werkzeug"),
]

GUARD = 60
"""Seconds after which a process that must end has failed to."""
_REQUEST = re.compile(rb"(GET|PUT|HEAD|POST|DELETE) (/\S*) HTTP/1\.1\r\n")
_REFUSAL = (
    b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>%s</Code>"
    b"<Message>%s</Message><RequestId>1</RequestId></Error>"
)
REFUSALS = {
    "expired": (b"400 Bad Request", b"ExpiredToken", b"The provided token has expired."),
    "denied": (b"403 Forbidden", b"AccessDenied", b"Access Denied"),
}


class Network:
    """A proxy before a server, which passes, swallows, resets or refuses what it is sent.

    Attributes:
        mode: What it does; one of `pass`, `swallow`, `reset` and those of `REFUSALS`.
        requests: What was asked for, as method and path.
    """

    def __init__(self, host, port):
        self.mode = "pass"
        self.requests = []
        self._server = host, port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, socket.create_connection(self._server) as server, suppress(OSError):
            threading.Thread(target=self._answer, args=(server, client), daemon=True).start()
            while data := client.recv(1 << 16):
                asked = [(method, path) for method, path in _REQUEST.findall(data)]
                self.requests += asked
                if self.mode == "pass":
                    server.sendall(data)
                elif self.mode == "reset":
                    linger = struct.pack("ii", 1, 0)
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    return
                elif self.mode in REFUSALS and asked:
                    client.sendall(_refusal(self.mode, asked[0][0]))
                    return

    def _answer(self, server, client):
        with suppress(OSError):
            while data := server.recv(1 << 16):
                if self.mode == "pass":
                    client.sendall(data)


def _refusal(mode, method):
    status, code, message = REFUSALS[mode]
    body = _REFUSAL % (code, message)
    head = b"HTTP/1.1 %s\r\nContent-Type: application/xml\r\nConnection: close\r\n" % status
    head += b"Content-Length: %d\r\n\r\n" % len(body)
    return head if method == b"HEAD" else head + body


@pytest.fixture(scope="module")
def server():
    """A server that runs in this process: its host and port."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    s3fs.S3FileSystem(**_options(port)).call_s3("create_bucket", Bucket="bucket")
    yield host, port
    server.stop()


def _options(port, host="127.0.0.1"):
    return {
        "key": "AKIAEXAMPLE",
        "secret": "very-secret",
        "endpoint_url": f"http://{host}:{port}",
        "client_kwargs": {"region_name": "us-east-1"},
        "config_kwargs": {"s3": {"addressing_style": "path"}, "retries": {"max_attempts": 1}},
    }


@pytest.fixture
def network(server):
    network = Network(*server)
    yield network
    network.close()


@pytest.fixture
def url():
    return f"s3://bucket/{uuid.uuid4()}"


@pytest.fixture
def direct(server, url):
    """The store, as its machine reaches it when the network works."""
    return Store(url, _options(server[1]))


@pytest.fixture
def store(network, direct):
    return Store(direct.url, _options(network.port))


def _values(store, run_id):
    return store.run(run_id).metrics("x").column("value").to_pylist()


PROGRAM = """
import os, sys, mlkit
url, options = sys.argv[1], eval(sys.argv[2])
store = mlkit.Store(url, options)
def say(*what):
    print(*what, flush=True)
def hear():
    return sys.stdin.readline()
"""


class Program:
    """A process that runs a program with a store, and talks to the test by lines."""

    def __init__(self, code, url, options, **environment):
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-c", PROGRAM + code, url, repr(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    def hear(self):
        return self.process.stdout.readline().strip()

    def say(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def ended(self):
        """Wait for its end, and give what it said to stderr; its code is that of the process."""
        guard = threading.Timer(GUARD, self.process.kill)
        guard.start()
        with self.process:
            self.said = self.process.stdout.read()
            error = self.process.stderr.read()
        guard.cancel()
        return error


# A network that works


def test_starting_a_run_asks_the_network_for_nothing(store, network):
    asked = len(network.requests)
    network.mode = "swallow"
    run = store.start_run("quick", name="a", tags={"b": 1})
    run.log_params(lr=0.1)
    run.log_metric("x", 1)
    run.log_text("kept", "a.txt")
    assert len(network.requests) == asked
    network.mode = "pass"
    run.finish()
    assert store.run(run.id).artifact("a.txt").text() == "kept"


def test_what_is_sent_is_whole_at_every_flush(store, direct, network):
    run = store.start_run("sent")
    for step in range(3):
        run.log_metric("x", step)
        run.flush()
        assert _values(direct, run.id) == list(range(step + 1))
        assert direct.run(run.id).status == "RUNNING"
    run.finish()
    read = direct.run(run.id)
    assert (read.status, list(read.verify())) == ("FINISHED", [])
    assert direct.sync() == 0
    wrote = [path for method, path in network.requests if method == b"PUT"]
    assert len(wrote) == len(set(wrote))  # nothing was sent twice


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_run_that_is_left_open_is_sent_when_the_program_exits(direct, server, host):
    program = Program(
        "run = store.start_run('exit'); run.log_metric('x', 1); say(run.id)",
        direct.url,
        _options(server[1], host),
    )
    run_id = program.hear()
    assert program.ended() == ""
    assert direct.run(run_id).status == "FINISHED"
    assert _values(direct, run_id) == [1.0]


# A network that fails

ENDS = {
    "finish": ("run.finish()", 0, "FINISHED"),
    "block": ("run.__exit__(None, None, None)", 0, "FINISHED"),
    "exit": ("pass", 0, "FINISHED"),
    "exception": ("raise RuntimeError('of the program')", 1, "FAILED"),
    "sigterm": ("os.kill(os.getpid(), 15)", -signal.SIGTERM, "KILLED"),
    "sigterm while it finishes": (
        """
import threading, time
def ask_to_end():
    while not store._courier._waiting:
        time.sleep(0.01)
    os.kill(os.getpid(), 15)
threading.Thread(target=ask_to_end).start()
run.finish()
hear()
""",
        -signal.SIGTERM,
        "FINISHED",
    ),
}


@pytest.mark.parametrize(
    ("end", "mode"), [*((end, "swallow") for end in ENDS), ("finish", "reset"), ("exit", "reset")]
)
def test_with_a_dead_network_a_program_ends_and_says_what_stays_and_who_sends_it(
    direct, network, hermetic, end, mode
):
    code, status, ended = ENDS[end]
    program = Program(
        f"""
say("open"); hear()
run = store.start_run("dead")
for step in range(100):
    run.log_metric("x", step)
run.log_text("kept", "a.txt")
say(run.id)
{code}
""",
        direct.url,
        _options(network.port),
        MLKIT_PATIENCE="1",
    )
    assert program.hear() == "open"
    network.mode = mode
    program.say()
    run_id = program.hear()
    error = program.ended()
    assert program.process.returncode == status, error
    assert error.count("TrackingWarning") == 1
    said = rf"4 files of run {run_id} \([\d.,]+ [kM]?i?B(ytes)?\) couldn't be sent to {direct.url}"
    assert re.search(said, error), error
    assert f"stay in {hermetic / 'spool' / direct.id}" in error
    assert f"mlkit sync --store {direct.url}" in error
    assert len(direct.runs) == 0
    assert direct.sync() == 4
    assert direct.sync() == 0
    read = direct.run(run_id)
    assert read.status == ended
    assert _values(direct, run_id) == list(range(100))
    assert read.artifact("a.txt").text() == "kept"
    assert list(read.verify()) == []


def test_a_network_that_fails_for_a_while_costs_one_warning_and_no_record(
    store, direct, network, monkeypatch
):
    monkeypatch.setattr(store._courier, "_patience", 1.0)
    run = store.start_run("a while")
    run.log_metric("x", 0)
    network.mode = "reset"
    with pytest.warns(TrackingWarning) as caught:
        run.flush()
    assert len(caught) == 1
    run.log_metric("x", 1)
    network.mode = "pass"
    run.flush()
    run.log_metric("x", 2)
    run.finish()
    read = direct.run(run.id)
    assert (read.status, read.health["dropped"]) == ("FINISHED", 0)
    assert _values(direct, run.id) == [0.0, 1.0, 2.0]


# Credentials


@pytest.mark.parametrize("mode", REFUSALS)
def test_credentials_that_expire_cost_one_warning_and_what_waits_is_sent_with_new_ones(
    store, direct, network, mode
):
    run = store.start_run("refused")
    run.log_metric("x", 1)
    network.mode = mode
    asked = len(network.requests)
    with pytest.warns(TrackingWarning, match=r"(?i)renew the credentials") as caught:
        run.finish()
    assert len(caught) == 1
    assert len(network.requests) - asked <= 12  # the driver's own tries; not five times as many
    with pytest.raises(StorageFault, match=r"(?i)renew the credentials"):
        store.sync()
    network.mode = "pass"
    assert store.sync() == 3
    assert direct.run(run.id).status == "FINISHED"
    assert _values(direct, run.id) == [1.0]


# Processes that die

KILLED = """
run = store.start_run("killed")
say(run.id)
step = 0
while True:
    run.log_metric("x", step)
    step += 1
    if step % 200 == 0:
        run.log_text(str(step), f"{step}.txt")
        run.ship()
    say(".")
"""


def _killed(url, options):
    """Give the id of a run whose process was killed in the middle, and what had been logged."""
    program = Program(KILLED, url, options)
    run_id = program.hear()
    returned = 0
    while returned < 900:
        returned += program.hear() == "."
    program.process.send_signal(signal.SIGKILL)
    program.ended()
    return run_id, returned + program.said.count(".\n")


@pytest.mark.parametrize("how", ["the next run", "sync"])
def test_what_a_killed_process_left_is_sent_once_by_who_comes_next(direct, server, how):
    options = _options(server[1])
    run_id, returned = _killed(direct.url, options)
    if how == "sync":
        assert direct.sync() >= 1
    else:
        program = Program("store.start_run('next').finish()", direct.url, options)
        assert program.ended() == ""
    assert direct.sync() == 0
    values = _values(direct, run_id)
    assert values == list(range(len(values)))
    assert len(values) - returned in (0, 1)
    read = direct.run(run_id)
    assert read.status == "LOST"
    assert read.artifact("800.txt").text() == "800"
    assert list(read.verify()) == []


def test_two_processes_that_sync_at_once_send_each_record_once(direct, network, server):
    killed = dict(_killed(direct.url, _options(server[1])) for _ in range(2))
    code = "say('open'); hear(); say(store.sync())"
    programs = [Program(code, direct.url, _options(network.port)) for _ in range(3)]
    for program in programs:
        assert program.hear() == "open"
    for program in programs:
        program.say()
    for program in programs:
        assert program.ended() == ""
    assert sum(int(program.said) for program in programs) >= 2
    assert direct.sync() == 0
    for run_id, returned in killed.items():
        values = _values(direct, run_id)
        assert values == list(range(len(values)))
        assert len(values) - returned in (0, 1)
        assert list(direct.run(run_id).verify()) == []
