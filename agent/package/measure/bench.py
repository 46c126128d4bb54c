"""A node on loopback, an agent under test, and a hostapd that never was: what the scripts of this
folder measure with. Python's standard library only.

The agent under test is the program that ships. It listens to a hostapd (its source `hostapd`), and
`Hostapd` below plays that: one notification of a probe request makes one observation.
"""

import ctypes
import fcntl
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

AGENT = "hall-01"
# Datagrams in front of the agent: what comes in 62 ms at 10,000 observations/s, and as much again.
QUEUE_LEN = 1_240


def fail(text):
    sys.exit(f"{Path(sys.argv[0]).stem}: {text}")


def own_network():
    """Moves this process, and what it starts, into a network of its own, where a socket holds as many
    datagrams as come between two looks of an agent. With systemd it holds 512, on a kernel by itself
    ten; then the hostapd below, which waits for room as no hostapd does, would be woken by each
    datagram that the agent reads, at the agent's expense. Only root may; whether it was done."""
    clone_newnet = 0x40000000
    if os.geteuid() != 0 or ctypes.CDLL(None).unshare(clone_newnet) != 0:
        return False
    siocgifflags, siocsifflags, iff_up = 0x8913, 0x8914, 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = fcntl.ioctl(any_socket, siocgifflags, struct.pack("16sh22x", b"lo", 0))
        flags = struct.unpack("16sh22x", asked)[1] | iff_up
        fcntl.ioctl(any_socket, siocsifflags, struct.pack("16sh22x", b"lo", flags))
    try:
        Path("/proc/sys/net/unix/max_dgram_qlen").write_text(str(QUEUE_LEN))
    except OSError:
        return False
    return True


class Hostapd:
    """Plays the control socket of one interface and sends probe requests at a rate."""

    TICK_S = 0.01

    def __init__(self, folder, clients=200):
        folder.mkdir()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "wlan0"))
        # What waits at the other end counts as the sender's. Only root may go beyond the system's limit.
        so_sndbufforce = 32
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, so_sndbufforce, QUEUE_LEN * 1_024)
        except PermissionError:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, QUEUE_LEN * 1_024)
        dice = random.Random(1)
        # Addresses reserved for documentation; their makers gave them, so they are not randomised.
        self.events = [
            f"<3>RX-PROBE-REQUEST sa=00:00:5e:00:53:{n % 256:02x} signal=-{dice.randint(40, 80)}".encode()
            for n in range(clients)
        ]
        self.listener = None
        self.sent = 0
        self.attached = threading.Event()
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self):
        while True:
            command, who = self.socket.recvfrom(256)
            if command == b"ATTACH":
                answer = b"OK\n"
            elif command == b"STATUS":
                answer = b"state=ENABLED\nfreq=2437\n"
            else:
                answer = b"FAIL\n"  # an empty table of clients
            try:
                self.socket.sendto(answer, who)
            except OSError:
                continue  # the agent is gone
            if command == b"ATTACH":
                self.listener = who
                self.attached.set()

    def _tell(self, event):
        """An agent that got no answer in time, as on a machine that stood still, attaches anew."""
        until = time.monotonic() + 10
        while True:
            try:
                self.socket.sendto(event, self.listener)
                return
            except ConnectionRefusedError:
                if time.monotonic() > until:
                    fail("the agent does not listen any more")
                time.sleep(0.01)

    def send(self, rate, seconds, each_second=lambda: None):
        """Sends for so long; returns how many and how long it took."""
        sent, began, due = 0, time.monotonic(), rate * self.TICK_S
        ticks = round(seconds / self.TICK_S)
        for tick in range(ticks):
            while sent < due * (tick + 1):
                self._tell(self.events[self.sent % len(self.events)])
                sent += 1
                self.sent += 1
            if tick % 100 == 99:
                each_second()
            time.sleep(max(0.0, began + (tick + 1) * self.TICK_S - time.monotonic()))
        return sent, time.monotonic() - began


class Bench:
    """A folder with a node that runs; everything ends with it."""

    def __init__(self, node_program, root):
        self.program = node_program
        self.folder = Path(tempfile.mkdtemp(prefix="trilobite-bench-"))
        self.running = []
        shutil.copy(root / "sites" / "hall.toml", self.folder)
        self.trilobite("ca", "init")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (self.folder / "node.toml").write_text(
            f"""state_dir = "state"
runtime_dir = "run"
[quic]
listen = "127.0.0.1:{self.port}"
authority = "pki/ca.pem"
certificate = "pki/node.pem"
key = "pki/node.key"
[enrolment]
authority_key = "pki/ca.key"
[http]
listen = "127.0.0.1:0"
[locate]
fix_hz = 0.1
[[site]]
file = "hall.toml"
"""
        )
        self.node = None
        self.hostapd = Hostapd(self.folder / "hostapd")

    def trilobite(self, *args):
        done = subprocess.run([self.program, *args], cwd=self.folder, capture_output=True, text=True)
        if done.returncode:
            fail(f"{self.program} {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    def start_node(self):
        log = open(self.folder / "node.log", "a")
        self.node = subprocess.Popen(
            [self.program, "serve", "--config", "node.toml"],
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
        )
        self.running.append(self.node)
        line = self.node.stdout.readline()
        if not line:
            fail(f"the node does not start: {(self.folder / 'node.log').read_text()[-500:]}")
        self.http = json.loads(line)["http"]

    def kill_node(self):
        self.node.kill()
        self.node.wait()

    def ledger(self):
        with urllib.request.urlopen(f"http://{self.http}/api/v1/ledger", timeout=10) as answer:
            return json.load(answer)

    def enroll(self, agent_program):
        """The agent under test makes its key and gets its certificate."""
        told = self.trilobite("token", "join", "--config", "node.toml", "--site", "hall", "--agent", AGENT)
        token = told.split("--token", 1)[1].split()[0]
        done = subprocess.run(
            [*agent_program, "enroll", "--node", f"127.0.0.1:{self.port}", "--out", "device"],
            cwd=self.folder, capture_output=True, text=True, env={**os.environ, "TRILOBITE_JOIN_TOKEN": token},
        )
        if done.returncode:
            fail(f"enrolment failed: {done.stderr.strip()}")

    def start_agent(self, agent_program):
        (self.folder / "agent.toml").write_text(
            f"""nodes = ["127.0.0.1:{self.port}"]
[identity]
authority = "device/ca.pem"
certificate = "device/agent.pem"
key = "device/agent.key"
[[radio]]
ap = "{AGENT}"
band = "2.4"
[[source]]
kind = "hostapd"
interface = "wlan0"
folder = "hostapd"
"""
        )
        began = time.monotonic()
        agent = subprocess.Popen(
            [*agent_program, "run", "--config", "agent.toml"],
            cwd=self.folder, stdin=subprocess.DEVNULL, stderr=open(self.folder / "agent.log", "w"),
        )
        self.running.append(agent)
        while not (self.hostapd.attached.is_set() and self.is_connected()):
            if agent.poll() is not None or time.monotonic() - began > 60:
                fail(f"the agent does not connect: {(self.folder / 'agent.log').read_text()[-500:]}")
            time.sleep(0.005)
        return agent, time.monotonic() - began

    def is_connected(self):
        return any(agent["connected"] for agent in self.ledger()["agents"])

    def stop_agent(self, agent):
        """In good order: the node books the agent's last counters. Returns the agent's books."""
        agent.send_signal(signal.SIGTERM)
        try:
            code = agent.wait(timeout=60)
        except subprocess.TimeoutExpired:
            fail("the agent does not end on SIGTERM")
        if code:
            fail(f"the agent ended with {code}: {(self.folder / 'agent.log').read_text()[-500:]}")
        books = next(entry for entry in self.ledger()["agents"] if entry["agent"] == AGENT)
        return books["books"]

    def close(self):
        for process in self.running:
            if process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def dropped(books):
    return books["dropped_at_agent"]["observations"]


def lost(books):
    return books["lost"]["observations"]


def seen(books, what):
    return books[what]["observations"]
