#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""gaps.py FROM TO SEED: the events of FROM, a trace.dat of vhostctl's, as if all had run now
on one CPU and now on the other, and as if their buffers had lost pages. Prints which CPUs
lost some, with how many events."""
import random
import struct
import sys

PAGE = 4096
HEADER = 16
DELTA = 1 << 27


def records(page):
    """Times and data of the events in a page of the ring buffer."""
    ts, commit = struct.unpack_from("<QQ", page)
    at, end = HEADER, HEADER + (commit & 0xFFFFF)
    while at < end:
        word, extra = struct.unpack_from("<II", page, at)
        kind, delta = word & 31, word >> 5
        if kind == 29 and not delta:  # padding up to the end
            return
        if kind in (30, 31):  # a large step; a time
            ts = delta + (extra << 27) + (ts if kind == 30 else 0)
            at += 8
            continue
        ts += delta
        if kind == 29:
            at += 4 + extra
        elif kind == 0:
            yield ts, page[at + 8:at + 4 + extra]
            at += 4 + (extra + 3 & ~3)
        else:
            yield ts, page[at + 4:at + 4 + 4 * kind]
            at += 4 + 4 * kind


def pages(events):
    """Pages of them: [time, data, time of the last, number]."""
    page = None
    for ts, data in events:
        if not page or len(page[1]) + 4 + len(data) > PAGE - HEADER or ts - page[2] >= DELTA:
            if page:
                yield page
            page = [ts, b"", ts, 0]
        assert len(data) % 4 == 0 and len(data) <= 112
        page[1] += struct.pack("<I", len(data) // 4 | ts - page[2] << 5) + data
        page[2] = ts
        page[3] += 1
    yield page


def handed_out(every, rng, loses):
    """As the kernel hands them out, and how many events are missing."""
    begin = rng.randrange(len(every) // 2) if loses and rng.random() < 0.7 else 0
    share = rng.choice([0, 0.02, 0.2]) if loses else 0
    out, lost, total = b"", 0, 0
    for i, (ts, data, _, n) in enumerate(every):
        # The newest ones stay.
        if i < len(every) - 1 and (i < begin or rng.random() < share):
            lost += n
            continue
        total += lost
        commit = len(data)
        if lost:
            commit |= 1 << 31
            # Where there is room, how many
            if len(data) + 8 <= PAGE - HEADER and rng.random() < 0.5:
                commit |= 1 << 30
                data += struct.pack("<Q", lost)
            lost = 0
        out += (struct.pack("<QQ", ts, commit) + data).ljust(PAGE, b"\0")
    return out, total


def main():
    source, target, seed = sys.argv[1:]
    rng = random.Random(int(seed))
    with open(source, "rb") as f:
        trace = f.read()
    cpus, = struct.unpack_from("<I", trace, trace.index(b"options  \0") - 4)
    assert cpus == 2
    table = trace.index(b"flyrecord\0") + 10
    where = [struct.unpack_from("<QQ", trace, table + 16 * i) for i in range(cpus)]
    events = sorted((r for at, size in where for page in range(at, at + size, PAGE)
                     for r in records(trace[page:page + PAGE])), key=lambda r: r[0])
    visit = rng.choice([200e3, 1e6, 5e6, 20e6])
    turns, cpu, until = [[], []], 0, 0
    for event in events:
        if event[0] >= until:
            cpu ^= 1
            until = event[0] + visit * rng.uniform(0.1, 2)
        turns[cpu].append(event)
    head = bytearray(trace[:where[0][0]])
    at, body = len(head), b""
    losers = rng.choice([[0], [1], [0, 1]])
    for cpu in range(cpus):
        data, lost = handed_out(list(pages(turns[cpu])), rng, cpu in losers)
        struct.pack_into("<QQ", head, table + 16 * cpu, at, len(data))
        at += len(data)
        body += data
        if lost:
            print("CPU", cpu, "lost", lost)
    with open(target, "wb") as f:
        f.write(head + body)


main()
