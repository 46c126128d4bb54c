"""Reads one batch from stdin and prints it as JSON, with nothing but a MessagePack library.

The loop is that of FORMAT.md; a test compares the two.
"""

import json
import struct
import sys

import msgpack


def measured(dbm):
    return None if dbm == -128 else dbm


def read_batch(datagram):
    version, session, sequence, first, sent_us, radio, rows, *ranges = msgpack.unpackb(datagram)
    assert version == 1
    observations = []
    for client, age_ms, rssi, noise, channel, flags in struct.iter_unpack("<QHbbBB", rows):
        heard_at_us = max(sent_us - age_ms * 1000, 0)
        observations.append([f"{client:016x}", heard_at_us, radio, measured(rssi), measured(noise),
                             channel, flags & 7, bool(flags & 8), bool(flags & 16), None])
    for row, distance_mm, deviation_mm in struct.iter_unpack("<HiH", b"".join(ranges)):
        observations[row][-1] = [distance_mm, None if deviation_mm == 65535 else deviation_mm]
    return session, sequence, first, sent_us, observations


if __name__ == "__main__":
    print(json.dumps(read_batch(sys.stdin.buffer.read()), separators=(",", ":")))
