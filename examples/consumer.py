#!/usr/bin/env python3
"""A consumer in plain Python: poll, know messages again, read the state they tell of, commit.

usage: consumer.py http://127.0.0.1:8081 consumer.sqlite [--once]      token in $TRILOBITE_TOKEN
"""
import json, os, sqlite3, sys, time
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

base, once = sys.argv[1].rstrip("/"), "--once" in sys.argv
db = sqlite3.connect(sys.argv[2])
db.executescript("""
    CREATE TABLE IF NOT EXISTS place (one INTEGER PRIMARY KEY, cursor TEXT);
    CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY, received REAL);
    CREATE TABLE IF NOT EXISTS state (resource TEXT PRIMARY KEY, etag TEXT, body TEXT);""")


def get(path, **headers):
    if token := os.environ.get("TRILOBITE_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    try:
        with urlopen(Request(base + path, headers=headers), timeout=90) as answer:
            return answer.status, answer.headers["ETag"], answer.read(8 << 20)
    except HTTPError as refusal:
        return refusal.code, None, refusal.read(8 << 20)


def refresh(resource):
    """Reads a resource unless it is as we know it, and writes what it is now."""
    known = db.execute("SELECT etag FROM state WHERE resource = ?", [resource]).fetchone()
    headers = {"If-None-Match": known[0]} if known and known[0] else {}
    status, etag, body = get(resource, **headers)
    if status == 200:
        db.execute("REPLACE INTO state VALUES (?, ?, ?)", [resource, etag, body.decode()])
    elif status in (404, 410):
        db.execute("DELETE FROM state WHERE resource = ?", [resource])
    elif status != 304:
        raise OSError(f"{resource}: HTTP {status}")


def poll():
    """One page: its new messages' effects and the cursor, all or nothing; whether there is more."""
    place = db.execute("SELECT cursor FROM place").fetchone()
    after = f"&after={quote(place[0])}" if place else ""
    status, _, body = get(f"/messages?wait={0 if once else 30}&limit=500{after}")
    if status not in (200, 410):
        raise OSError(f"feed: HTTP {status}")
    page = json.loads(body)
    with db:  # commits at its end, rolls back if anything fails: then the page comes again
        if status == 410:  # away for too long: all we know may be old; page["resync"] lists the rest
            changed = {row[0] for row in db.execute("SELECT resource FROM state")}
        else:
            unseen = "INSERT OR IGNORE INTO seen VALUES (?, ?)"
            changed = {message["resource"] for message in page["messages"]
                       if db.execute(unseen, [message["id"], time.time()]).rowcount}
        for resource in changed:
            refresh(resource)
        db.execute("REPLACE INTO place VALUES (1, ?)", [page["next" if status == 200 else "oldest"]])
        db.execute("DELETE FROM seen WHERE received < ?", [time.time() - 7 * 86400])
    return status == 410 or page["more"]


while True:
    try:
        if not poll() and once:
            break
    except (OSError, ValueError, KeyError) as trouble:
        if once:
            sys.exit(f"consumer: {trouble}")
        print(f"consumer: {trouble}", file=sys.stderr)
        time.sleep(5)
