"""A fixed piece of work, to tell how dear processor time is on this machine just now.

A thousand datagrams a second from a socket to itself, in sixteen wake-ups, which is how an agent meets a
thousand observations. Alone, prints what a second of it takes without waiting in between, in milliseconds
of processor time, and goes on until it is ended.
"""

import socket
import time

WAKE_UPS, DATAGRAMS = 16, 63
EVENT = b"<3>RX-PROBE-REQUEST sa=00:00:5e:00:53:00 signal=-60"


def second(to, there, wait):
    for _ in range(WAKE_UPS):
        for _ in range(DATAGRAMS // 7):
            for _ in range(7):
                to.send(EVENT)
            for _ in range(7):
                there.recv(4096)
        time.sleep(wait)


def main():
    to, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    second(to, there, 0)  # warm
    took = []
    for _ in range(20):
        began = time.thread_time_ns()
        second(to, there, 0)
        took.append(time.thread_time_ns() - began)
    print(min(took) / 1e6, flush=True)
    while True:
        second(to, there, 1 / WAKE_UPS)


main()
