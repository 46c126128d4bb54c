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
    assert version == 2
    ranges, short_rows, air = (*more, b"", b"", b"")[:3]
    observations = []

    def add(client, age_ms, kind, word):
        heard_at_us = max(sent_us - age_ms * 1000, 0)
        observations.append([f"{client:016x}", heard_at_us, radio, measured(word >> 24), None, 0,
                             kind, bool(word & 1 << 22), bool(word & 1 << 23), None])

    count = len(rows) // 12
    columns = struct.unpack(f"<{count}Q{count}i", rows)
    for client, word in zip(columns, columns[count:]):
        add(client, word & 0xFFFF, word >> 16 & 7, word)
    count = len(short_rows) // 6
    columns = struct.unpack(f"<{count}i{count}H", short_rows)
    for word, tail in zip(columns, columns[count:]):
        add(short_ids[word & 0x3FFFFF], tail & 0x1FFF, tail >> 13, word)
    for row, distance_mm, deviation_mm in struct.iter_unpack("<HiH", ranges):
        observations[row][-1] = [distance_mm, None if deviation_mm == 65535 else deviation_mm]
    for index, channel, noise in struct.iter_unpack("<HBb", air):
        for observation in observations[index:]:
            observation[4:6] = measured(noise), channel
    return session, sequence, first, sent_us, observations


if __name__ == "__main__":
    pairs = (argument.split("=") for argument in sys.argv[1:])
    short_ids = {int(short_id): int(client, 16) for short_id, client in pairs}
    print(json.dumps(read_batch(sys.stdin.buffer.read(), short_ids), separators=(",", ":")))
