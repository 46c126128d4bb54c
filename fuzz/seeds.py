#!/usr/bin/env python3
"""Small inputs for every fuzz target, so that none begins with guessing a magic number.

    fuzz/seeds.py            writes them to fuzz/corpus/TARGET

They are built here from the formats' own documents, or come from examples that the repository
ships; nobody's capture is among them.
"""

import pathlib
import re
import struct

FUZZ = pathlib.Path(__file__).resolve().parent
ROOT = FUZZ.parent


def write(target, name, content):
    """Puts one input into a target's corpus."""
    folder = FUZZ / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(content)


def documented():
    """The worked examples of wire/FORMAT.md: name and bytes."""
    text = (ROOT / "wire/FORMAT.md").read_text()
    for name, block in re.findall(r"```hex (\S+)\n(.*?)```", text, re.S):
        digits = "".join(line.split("#")[0] for line in block.splitlines())
        yield name, bytes.fromhex(digits)


def wire():
    for name, content in documented():
        if name.startswith("batch"):
            write("datagram", name, content)
        elif name.startswith("enrol"):
            write("enrolment", name, content)
        elif name == "recording":
            # The target writes the magic itself.
            write("recording", name, content[10:])
        else:
            # First how many bytes arrive at once, less one.
            write("control_frame", name, b"\xff" + content)


def names():
    secret, fingerprint = "0b" * 16, "0c" * 32
    colons = ":".join(["0c"] * 32)
    for name, text in {
        "token": f"trilobite-join-{secret}",
        "pinned-token": f"trilobite-join-{secret}-{fingerprint}",
        "fingerprint": colons,
        "identity": "trilobite://hq.north/ap-03",
        "client": "00000000000000ff",
        "node": "node.example:4433",
        "node-v6": "[::1]:4433",
        "address": "02:00:00:00:00:01",
        "prefix": "02:00:00",
    }.items():
        write("names", name, text.encode())


BEACON = bytes.fromhex("8000 0000 ffffffffffff 020000000001 020000000001 1000")
DATA = bytes.fromhex("0801 0000 020000000001 020000000002 020000000003 2000")
PROBE = bytes.fromhex("4000 0000 ffffffffffff 020000000002 ffffffffffff 3000")
ACK = bytes.fromhex("d400 0000 020000000002")


def radiotap_frames():
    """A frame with few fields, one with all of the low ones, one with words for two antennas."""
    few = struct.pack("<BBHIHHb", 0, 0, 13, 1 << 3 | 1 << 5, 2437, 0x00A0, -60)
    yield "few", few + DATA
    many = struct.pack("<QBBHHHbbB", 1, 0x10, 2, 5180, 0x0140, 0, -50, -95, 1)
    present = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 11
    yield "many", struct.pack("<BBHI", 0, 0, 8 + len(many), present) + many + BEACON + bytes(4)
    first = 1 << 1 | 1 << 5 | 1 << 29 | 1 << 31
    antenna = 1 << 5 | 1 << 11
    words = struct.pack("<III", first, antenna | 1 << 29 | 1 << 31, antenna)
    fields = struct.pack("<BbbBbB", 0, -60, -61, 0, -63, 1)
    head = struct.pack("<BBH", 0, 0, 4 + len(words) + len(fields))
    yield "antennas", head + words + fields + PROBE
    vendor = struct.pack("<BBHIHHHBBH", 0, 0, 16, 1 << 30, 0, 0, 0, 0, 0, 0)[:16]
    yield "vendor", vendor + ACK
    yield "bare", DATA


def captures():
    """Files in both formats and both orders of bytes."""
    frames = list(radiotap_frames())
    for name, frame in frames:
        write("radiotap", name, frame)
    for order, word in ("<", "little"), (">", "big"):
        pcap = struct.pack(order + "IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 127)
        packets = b"".join(
            struct.pack(order + "IIII", 1, i, len(frame), len(frame)) + frame
            for i, (_, frame) in enumerate(frames)
        )
        write("capture", f"pcap-{word}", pcap + packets)

        def block(kind, body):
            body += bytes(-len(body) % 4)
            length = 12 + len(body)
            return struct.pack(order + "II", kind, length) + body + struct.pack(order + "I", length)

        section = block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
        resolution = struct.pack(order + "HHB3xHH", 9, 1, 9, 0, 0)
        interface = block(1, struct.pack(order + "HHI", 127, 0, 65535) + resolution)
        packets = b"".join(
            block(6, struct.pack(order + "IIIII", 0, 0, i, len(frame), len(frame)) + frame)
            for i, (_, frame) in enumerate(frames)
        )
        simple = block(3, struct.pack(order + "I", len(DATA)) + DATA)
        write("capture", f"pcapng-{word}", section + interface + packets + simple)
    bare = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 105)
    write("capture", "link-type-105", bare)
    # What the target puts the head of a file in front of.
    frame = frames[0][1]
    write("capture", "packets", struct.pack("<IIII", 1, 0, len(frame), len(frame)) + frame)


def hci():
    """The byte in front says which kind of report the target begins."""
    address = bytes.fromhex("010000000002")
    legacy = bytes([1, 0, 0]) + address + bytes([3, 2, 1, 6, 0xC4])
    write("hci", "legacy", b"\x00" + legacy)
    extended = bytes([1, 0x13, 0, 1]) + address + bytes([1, 0, 0xFF, 0x7F, 0xC4, 0, 0, 0])
    extended += bytes(6) + bytes([3, 2, 1, 6])
    write("hci", "extended", b"\x01" + extended)
    write("hci", "packet", b"\x00\x04\x3e" + bytes([1 + len(legacy), 2]) + legacy)
    write("hci", "complete", bytes.fromhex("00 04 0e 04 01 0c 20 00"))
    write("hci", "status", bytes.fromhex("00 04 0f 04 00 01 0c 20"))


def hostapd():
    for name, text in {
        "connected": "<3>AP-STA-CONNECTED 02:00:00:00:00:01",
        "left": "<3>AP-STA-DISCONNECTED 02:00:00:00:00:01",
        "probe": "<3>RX-PROBE-REQUEST sa=02:00:00:00:00:01 signal=-60",
        "ends": "<3>CTRL-EVENT-TERMINATING ",
        "client": "02:00:00:00:00:01\nflags=[AUTH][ASSOC][AUTHORIZED]\nsignal=-60\ninactive_msec=12\n",
        "status": "state=ENABLED\nfreq=2437\nchannel=6\n",
    }.items():
        write("hostapd", name, text.encode())


def netlink():
    def attribute(kind, value):
        return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)

    def u32(kind, value):
        return attribute(kind, struct.pack("=I", value))

    def message(kind, command, attributes):
        body = struct.pack("=BBH", command, 1, 0) + attributes
        return struct.pack("=IHHII", 16 + len(body), kind, 2, 1, 0) + body

    mac = attribute(6, bytes.fromhex("020000000001"))
    chains = attribute(25, attribute(0, b"\xc4") + attribute(1, b"\xc0"))
    flags = attribute(17, struct.pack("=II", 0xFF, 0x80))
    station = u32(1, 5) + attribute(7, b"\xc4") + attribute(13, b"\xc2") + chains + flags
    interface = u32(3, 7) + attribute(4, b"phy0-ap0\0") + u32(5, 3) + mac + u32(38, 2437)
    survey = attribute(84, u32(1, 2437) + attribute(2, b"\xa1") + attribute(3, b""))
    result = attribute(2, u32(2, 0) + attribute(1, attribute(1, attribute(13, bytes(8)))))
    for name, content in {
        "family": message(16, 1, attribute(1, b"\x1c\0") + attribute(2, b"nl80211\0")),
        "interface": message(28, 7, interface),
        "station": message(28, 19, mac + attribute(21, station)),
        "survey": message(28, 51, survey),
        "ranges": message(28, 132, attribute(273, attribute(5, attribute(0, attribute(1, mac[4:10]) + result)))),
        "done": struct.pack("=IHHIIi", 20, 3, 2, 1, 0, 0),
        "error": struct.pack("=IHHIIi", 36, 2, 0, 1, 0, -19) + bytes(16),
    }.items():
        write("netlink", name, content)


def ubus():
    """The byte in front says how many bytes arrive at once, less one."""

    def blob(kind, data, extended=0):
        word = extended << 31 | kind << 24 | 4 + len(data)
        return struct.pack(">I", word) + data + bytes(-len(data) % 4)

    def field(kind, name, value):
        name = struct.pack(">H", len(name)) + name + b"\0"
        return blob(kind, name + bytes(-len(name) % 4) + value, extended=1)

    probe = field(3, b"address", b"02:00:00:00:00:01\0")
    probe += field(5, b"signal", struct.pack(">i", -60)) + field(5, b"freq", struct.pack(">I", 2437))
    nested = field(2, b"table", field(1, b"array", field(7, b"", b"\1") + field(8, b"", bytes(8))))
    invoke = blob(4, b"probe\0") + blob(3, struct.pack(">I", 9)) + blob(7, probe)
    for kind, body in (0, b""), (1, blob(1, bytes(4))), (2, blob(7, nested)), (5, invoke):
        content = struct.pack(">BBHI", 0, kind, 1, 0x1234) + blob(0, body)
        write("ubus", f"message-{kind}", b"\xff" + content)
    write("ubus", "fields", b"\x03" + probe + nested)


def files():
    """Configurations, sites and calibrations that the repository ships."""
    write("config", "example", (ROOT / "agent/agent.example.toml").read_bytes())
    write("config", "sources", b'[[radio]]\nap = "a"\nband = "5"\n[[source]]\nkind = "monitor"\n'
          b'interface = "mon0"\n[privacy]\nrandomised = "on"\n[limits]\ncpu_percent = 20\n')
    write("uci", "example", (ROOT / "agent/package/openwrt/trilobite-agent.config").read_bytes())
    write("uci", "words", b"package 'x'\nconfig a \"b\\\"c\"\n\toption d 'e'\\''f'\n\tlist g h # i\n")
    for path in sorted((ROOT / "sites").glob("*.toml")):
        write("site", path.stem, path.read_bytes())
    write("site", "calibration", b'''site = "hall"
client_offset_deviation_db = 4.5
[[radio]]
anchor = "hall-01"
band = "5"
rssi_at_1m_dbm = -52.5
exponent = 2.1
deviation_db = 3.8
range = { bias_m = 0.31, slope = 1.01, deviation_m = 0.6 }
[[slab]]
floor = "0"
loss_db = [5.2, 7.9, 9.1]
[regions]
rssi = [1.1, 1.05]
[shadow]
rssi = { length_m = 3.0, deviation = 4.0, noise = 2.2 }
places = [[3.5, 4.0, 1.2], [5.0, 4.1, 1.2]]
''')


for make in (wire, names, captures, hci, hostapd, netlink, ubus, files):
    make()
