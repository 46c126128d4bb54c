"""Reads one batch from stdin and prints it as JSON, with nothing but a MessagePack library.

An argument such as 5=9f0c4e2ab1d07735 says whom a short id stands for.

The loop is that of FORMAT.md; a test compares the two.
"""

import json
import struct
import sys

import msgpack


def measured(dbm):
    return None if dbm == -128 else dbm


def read_batch(datagram, short_ids):
    """short_ids: what the session's define frames said, short id to client id."""
    version, session, sequence, first, sent_us, radio, rows, *more = msgpack.unpackb(datagram)
    assert version == 1
    ranges, short_rows = (*more, b"", b"")[:2]
    observations = []
    for client, age_ms, rssi, noise, channel, flags in struct.iter_unpack("<QHbbBB", rows):
        heard_at_us = max(sent_us - age_ms * 1000, 0)
        observations.append([f"{client:016x}", heard_at_us, radio, measured(rssi), measured(noise),
                             channel, flags & 7, bool(flags & 8), bool(flags & 16), None])
    for low, high, age, rssi, noise, channel in struct.iter_unpack("<HBHbbB", short_rows):
        client = short_ids[low | (high & 0x3F) << 16]
        heard_at_us = max(sent_us - (age & 0x1FFF) * 1000, 0)
        observations.append([f"{client:016x}", heard_at_us, radio, measured(rssi), measured(noise),
                             channel, age >> 13, bool(high & 0x40), bool(high & 0x80), None])
    for row, distance_mm, deviation_mm in struct.iter_unpack("<HiH", ranges):
        observations[row][-1] = [distance_mm, None if deviation_mm == 65535 else deviation_mm]
    return session, sequence, first, sent_us, observations


if __name__ == "__main__":
    pairs = (argument.split("=") for argument in sys.argv[1:])
    short_ids = {int(short_id): int(client, 16) for short_id, client in pairs}
    print(json.dumps(read_batch(sys.stdin.buffer.read(), short_ids), separators=(",", ":")))
