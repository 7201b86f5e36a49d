#!/usr/bin/env python3
"""place.py TREE PATCH VERSION [--skip]: apply a patch to TREE's index although lines around
its hunks have changed.

A hunk goes where all its old lines stand, inside the function that its @@ heading names if
there is one. Where they do not, it goes where the lines that it removes, or stands between,
match exactly once inside that function; its line is then printed. A hunk that has no such place is told
with what the base has there now, and the status is 1; with --skip it is left out, all the
rest is applied, and the status is 2."""

import re
import subprocess
import sys

HUNK = re.compile(r'@@ -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@ ?(.*)')


def git(tree, *args, data=None):
    data = data and data.encode('utf-8', 'surrogateescape')
    return subprocess.run(['git', '-C', tree, *args], input=data, check=True,
                          stdout=subprocess.PIPE).stdout.decode('utf-8', 'surrogateescape')


class Hunk:
    def __init__(self, match):
        self.at = int(match[1]) - 1     # index of its first old line
        self.heading = match[2]
        self.lines = []                 # (sign, text)

    def old(self, lines=None):
        return [t for s, t in lines or self.lines if s != '+']

    def core(self):
        """The hunk without the context that it does not need: up to the lines that it
        removes, or with one line of context where it begins or ends by adding."""
        changed = [i for i, (s, _) in enumerate(self.lines) if s != ' ']
        first, last = changed[0], changed[-1]

        def adds(indices):
            """Do these changed lines, from the edge on, only add?"""
            for i in indices:
                if self.lines[i][0] != '+':
                    return self.lines[i][0] == ' '
            return True                 # up to an end of the file

        before = first - adds(range(first, len(self.lines)))
        after = last + adds(range(last, -1, -1))
        if before < 0 or after >= len(self.lines):
            return None                 # at an end of the file: its context is its place
        return before, self.lines[before:after + 1]


def read_patch(path):
    """{file: [Hunk]} of a patch that only modifies files."""
    files, hunks = {}, None
    for line in open(path, encoding='utf-8', errors='surrogateescape',
                     newline='').read().split('\n')[:-1]:
        match = HUNK.match(line)
        if line.startswith('+++ b/'):
            hunks = files.setdefault(line[6:], [])
        elif line.startswith(('diff ', 'index ', '--- a/')):
            hunks = hunks if line.startswith('--- a/') else None
        elif match:
            hunks.append(Hunk(match))
        elif line.startswith('\\'):
            sys.exit(f'error: {path}: a line without an end cannot be placed')
        elif hunks:
            hunks[-1].lines.append((line[:1] or ' ', line[1:]))
    return files


def matches(base, lines, start, end):
    return [i for i in range(start, end - len(lines) + 1) if base[i:i + len(lines)] == lines]


def is_heading(line):
    """What git takes for the beginning of a function in C: not a label."""
    return re.match(r'[A-Za-z_$]', line) and not re.match(r'\w+:\s*($|/[/*])', line)


def functions(base, hunk):
    """Where the functions stand that the hunk's heading, and then its context, name."""
    inside = 1 + sum(1 for t in hunk.old() if is_heading(t))
    starts = [i for i, t in enumerate(base) if is_heading(t)] + [len(base)]
    if not hunk.heading:
        return [(0, starts[min(inside - 1, len(starts) - 1)])]
    cut = len(hunk.heading.encode()) >= 79  # git's headings end there
    return [(at, starts[min(n + inside, len(starts) - 1)]) for n, at in enumerate(starts[:-1])
            if base[at].rstrip() == hunk.heading.rstrip() or
            cut and base[at].startswith(hunk.heading)]


def place(base, hunk, after, shift):
    """(index, lines of the hunk that stand from there on, exact) or None"""
    ranges = functions(base, hunk)
    old = hunk.old()
    found = matches(base, old, after, len(base))
    if hunk.heading and ranges:
        found = [i for i in found if any(start <= i < end for start, end in ranges)]
    elif len(found) > 1:
        found = []
    # Where a file begins or ends, so does the hunk.
    found = [i for i in found if (hunk.at or not i) and
             (hunk.lines[-1][0] == ' ' or base[i + len(old):] == [''])]
    if found:
        return min(found, key=lambda i: abs(i - hunk.at - shift)), hunk.lines, True
    core = hunk.core()
    if not core:
        return None
    old = hunk.old(core[1])
    found = {i for start, end in ranges
             for i in matches(base, old, max(start, after), end)}
    return (found.pop(), core[1], False) if len(found) == 1 else None


def tell(patch, version, name, hunk, base, shift):
    core = hunk.core()
    wanted = hunk.old(core[1]) if core else hunk.old()
    ranges = functions(base, hunk)
    at = hunk.at + shift
    if not any(start <= at < end for start, end in ranges) and ranges:
        at = ranges[0][0]
    print(f'error: {patch} does not apply to {version}: {name}, "@@ {hunk.heading}"\n'
          f'  It removes, or stands between:', *(f'    | {t}' for t in wanted),
          f'  {version} has there:',
          *(f'    {i + 1:6d} | {base[i]}' for i in range(max(at - 2, 0), min(at + 14, len(base)))),
          '  To mend it, make its change in the tree between these two commands:',
          '    make tree MEND=1',
          f'    make refresh     # writes {patch.rsplit(".", 1)[0].split(".from-")[0]}'
          f'.from-{version.split(".")[2]}.patch', sep='\n', file=sys.stderr)


def main():
    tree, patch, version, skip = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:] == ['--skip']
    missed = 0
    for name, hunks in read_patch(patch).items():
        stage = git(tree, 'ls-files', '-s', '--', name).split()
        if not stage:
            sys.exit(f'error: {patch} changes {name}, which {version} does not have')
        base = git(tree, 'cat-file', 'blob', stage[1]).split('\n')
        new, done, shift = [], 0, 0
        for hunk in hunks:
            spot = place(base, hunk, done, shift)
            if not spot:
                missed += 1
                tell(patch, version, name, hunk, base, shift)
                continue
            at, lines, exact = spot
            if exact:
                shift = at - hunk.at
            else:
                print(f'  {patch}: {name}:{at + 1}: @@ {hunk.heading}')
            new += base[done:at] + [t for s, t in lines if s != '-']
            done = at + len(hunk.old(lines))
        blob = git(tree, 'hash-object', '-w', '--stdin', data='\n'.join(new + base[done:])).strip()
        git(tree, 'update-index', '--cacheinfo', f'{stage[0]},{blob},{name}')
    return missed and (2 if skip else 1)


if __name__ == '__main__':
    sys.exit(main())
