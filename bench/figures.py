#!/usr/bin/env python3
"""figures.py [--check]: every figure of our pages, from what benches measured.

Takes over what benches left in out/results/, keeps it in bench/results/, and writes from it
bench/figures.md, bench/report/ and the blocks of figures in other pages. Prints figures.md,
and says on stderr what was measured of older code. --check writes nothing, and fails where a
page has a figure that the results do not have.

A file of results has a line "run" for each run of a bench, and after it rows: what was
measured, and values NAME=VALUE, with tabs between them. The figure is the median of the runs.

A block begins with "figures NAME" in a comment and ends with "end of figures". Where no
results are kept of it, "figures NAME of COMMIT SUM" says at which commit its figures were
printed; SUM is of its numbers, so that they stay what they are."""

import glob
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from statistics import median

KEPT, NEW, MOST_RUNS = 'bench/results', 'out/results', 5
REPORT = 'bench/report'
ALL = 'bench/figures.md'
PAGES = ['README.md', REPORT + '/report.md',
         'Documentation/admin-guide/vhost-ringmap/performance.rst', 'qemu/README.md']
NAMES = ['bench', 'ring-cost', 'mm-queues', 'mm-cost', 'trace-cost', 'kvm-check', 'qemu-10.0',
         'qemu-7.2']
OLDER = ' The code has changed since.'
ACCESSORS = ['base', 'bound', 'uaccess', 'checked', 'ringmap']
COUNTS = ['instructions', 'stac', 'lfence', 'locked', 'sections', 'metadata_stac',
          'metadata_lfence', 'metadata_instructions']


def read(path):
    with open(path, encoding='utf-8') as file:
        return file.read()


def command(name):
    """The command that measures NAME."""
    return f'make qemu-bench QEMU={name[5:]}' if name.startswith('qemu-') else f'make {name}'


class Result:
    """What a bench measured: runs, each with rows."""

    def __init__(self, name, text):
        self.name, self.runs = name, []
        for line in text.splitlines():
            key, *values = line.split('\t')
            if key == 'run':
                self.runs.append((dict(v.split('=', 1) for v in values), [line]))
            elif self.runs:
                self.runs[-1][1].append(line)
        self.rows = []
        for _, lines in self.runs:
            rows = {}
            for line in lines[1:]:
                key, *values = line.split('\t')
                if key in ('model', 'printed'):
                    rows.setdefault(key, []).append(''.join(values))
                else:
                    rows[key] = dict(v.split('=', 1) for v in values)
            self.rows.append(rows)
        self.at = self.runs[-1][0]

    def keys(self, kind):
        """The keys of a kind in the last run, without the kind."""
        return [key[len(kind) + 1:] for key in self.rows[-1] if key.startswith(kind + ' ')]

    def text(self, key, name):
        return self.rows[-1].get(key, {}).get(name, '')

    def all(self, key, name):
        found = (rows.get(key, {}).get(name) for rows in self.rows)
        return [float(v) for v in found if v not in (None, '', '-')]

    def value(self, key, name):
        values = self.all(key, name)
        return median(values) if values else None

    def spread(self, key, name, digits):
        values = self.all(key, name)
        if len(values) < 2:
            return ''
        return f'{min(values):.{digits}f} to {max(values):.{digits}f}'


def number(value, digits):
    return '' if value is None else f'{value:.{digits}f}'


def ratio(a, b, digits=3):
    return '' if a is None or not b else f'{a / b:.{digits}f}'


def reached(value, goal, least=False):
    if value is None or value != value:
        return 'not measured'
    return 'yes' if (value >= goal if least else value <= goal) else '**no**'


class Table:
    def __init__(self, *headers):
        self.headers, self.rows = headers, []

    def add(self, *cells):
        self.rows.append([str(cell) for cell in cells])

    def lines(self, rst):
        if not rst:
            lines = ['| ' + ' | '.join(row) + ' |' for row in [self.headers, *self.rows]]
            return [lines[0], '|' + '---|' * len(self.headers), *lines[1:]]
        widths = [max(len(row[i]) for row in [self.headers, *self.rows])
                  for i in range(len(self.headers))]
        rule = ' '.join('=' * width for width in widths)
        body = []
        for first, *others in self.rows:
            cells = [(first or '\\').ljust(widths[0])]
            for cell, width in zip(others, widths[1:]):
                cells.append(cell.rjust(width) if cell[:1].isdigit() and 'to' not in cell else cell.ljust(width))
            body.append(' '.join(cells).rstrip())
        head = ' '.join(cell.ljust(width) for cell, width in zip(self.headers, widths))
        return [rule, head.rstrip(), rule, *body, rule]


def wrap(text, width=95):
    lines = ['']
    for word in re.findall(r'\S*`[^`]+`+\S*|\S+', text):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append('')
        lines[-1] += (' ' if lines[-1] else '') + word
    return lines


def render(parts, rst):
    """Tables and paragraphs as lines, a blank one between them. In a paragraph, a command is
    in single back quotes, which rst has twice."""
    lines = []
    for part in parts:
        if isinstance(part, Table):
            new = part.lines(rst)
        elif isinstance(part, list):
            new = part
        else:
            new = wrap(part.replace('`', '``') if rst else part)
        lines += new + ['']
    return lines[:-1]


class Results:
    def __init__(self):
        self.kept = {}
        for name in NAMES:
            path = f'{KEPT}/{name}.tsv'
            if os.path.exists(path):
                self.kept[name] = Result(name, read(path))
        self.older = set()
        self.goals_made = None

    def take_new(self):
        """Those of out/results: more runs of the same code, or in the place of others."""
        for path in sorted(glob.glob(NEW + '/*.tsv')):
            name = os.path.basename(path)[:-4]
            new = Result(name, read(path))
            old = self.kept.get(name)
            runs = (old.runs if old else []) + new.runs
            runs = [run for run in runs if run[0]['content'] == new.at['content']][-MOST_RUNS:]
            os.makedirs(KEPT, exist_ok=True)
            text = '\n'.join('\n'.join(lines) for _, lines in runs) + '\n'
            with open(f'{KEPT}/{name}.tsv', 'w', encoding='utf-8') as file:
                file.write(text)
            self.kept[name] = Result(name, text)
            os.remove(path)
        self.kept = {name: self.kept[name] for name in NAMES if name in self.kept}

    def look_for_older(self):
        now = subprocess.run(['scripts/results.sh', 'content', *self.kept], check=True,
                             capture_output=True, text=True).stdout
        for line in now.splitlines():
            name, content = line.split()
            if content != self.kept[name].at['content']:
                self.older.add(name)

    def measured(self, *names):
        """Says where and when."""
        said = []
        for name in names:
            result = self.kept[name]
            at, runs = result.at, len(result.runs)
            said.append(f'Measured by `{command(name)}` at commit {at["commit"]}, {at["date"]}, in '
                        f'{runs} run{"s" if runs > 1 else ""}.' +
                        (OLDER if name in self.older else ''))
        return ' '.join(said)

    def in_tables(self, rows_of, work):
        """The files of tables that bench.sh makes, of a function that gives values."""
        bench = self.kept['bench']
        counts, messages, rates = [], [], []
        for key in bench.keys('count'):
            workload, mode = key.split()
            counts.append('\t'.join([workload, mode, *(f'{rows_of("count " + key, n):.4f}'
                                                       for n in COUNTS)]))
        for key in bench.keys('message'):
            messages.append('\t'.join([*key.split(), f'{rows_of("message " + key, "instructions"):.1f}']))
        for key in bench.keys('rate'):
            rounds = ' '.join(rows.get('rate ' + key, {}).get('rounds', '') for rows in bench.rows)
            for i, value in enumerate(rounds.split(), 1):
                rates.append('\t'.join([*key.split(), str(i), value]))
        longest = rows_of('hold longest', 'instructions')
        for name, lines in (('counts.tsv', counts), ('messages.tsv', messages), ('rates.tsv', rates),
                            ('holds', [f'- - - {longest:.0f}'])):
            with open(f'{work}/{name}', 'w', encoding='utf-8') as file:
                file.writelines(line + '\n' for line in lines)
        printed = awk(['-F', '\t', '-v', 'out=' + work, '-v', 'series=6.12'], 'goals', work, 'counts.tsv', 'messages.tsv', 'holds')
        with open(f'{work}/goals', 'w', encoding='utf-8') as file:
            file.write(printed)
        return [line.split('\t') for line in read(f'{work}/goals.tsv').splitlines()]

    def bench_goals(self):
        """Of each goal of the bench: goal, against, ours, measured; and the spread."""
        if self.goals_made is None:
            bench = self.kept['bench']
            with tempfile.TemporaryDirectory() as work:
                self.goals_made = {row[0]: row[1:5] for row in self.in_tables(bench.value, work)}
            spread = {}
            for rows in bench.rows:
                with tempfile.TemporaryDirectory() as work:
                    def value(key, name, rows=rows):
                        return float(rows.get(key, {}).get(name, 'nan'))
                    for row in self.in_tables(value, work):
                        if row[4] not in ('', 'nan'):
                            spread.setdefault(row[0], []).append(float(row[4]))
            for what, row in self.goals_made.items():
                values = spread.get(what, [])
                row.append(f'{min(values):g} to {max(values):g}' if len(values) > 1 else '')
        return self.goals_made


def awk(options, program, work, *files):
    return subprocess.run(['awk', *options, '-f', 'bench/lib.awk', '-f', f'bench/{program}.awk',
                           *(f'{work}/{file}' for file in files)],
                          check=True, capture_output=True, text=True).stdout


# Blocks: of each, the benches that it needs, and a function that makes tables and paragraphs

# What the README calls a workload, and what is said of it below the table
SHORT = [('TX 64', 'tx,window=64', ''), ('TX 16', 'tx,window=16', ''), ('TX 4', 'tx,window=4', ''),
         ('TX 1', 'tx,window=1', ''), ('TX 64, chains of 19', 'tx,chain=19', ''),
         ('RX 64', 'rx,window=64', ''), ('ring only 64', 'ring,window=64', ''),
         ('ring only 1', 'ring,window=1', ' (a)')]


def short_rows(results, table):
    bench, goals = results.kept['bench'], results.bench_goals()
    for name, workload, remark in SHORT:
        counts = [bench.value(f'count {workload} {mode}', 'instructions')
                  for mode in ('base', 'bound', 'uaccess', 'ringmap')]
        if None in counts:
            continue
        against = next((mode for mode in ('base', 'bound') if f'ringmap / {mode}, {workload}' in goals), None)
        goal = value = ''
        if against:
            goal, _, _, value, _ = goals[f'ringmap / {against}, {workload}']
            yes = reached(float(value), float(goal)).strip('*')
            goal, value = f'{goal} {against}', f'{yes}, {float(value):.3f}{remark}'
        table.add(name, *(number(c, 1) for c in counts), goal, value)

    def metadata(mode):
        key = f'count tx,window=64 {mode}'
        return number(bench.value(key, 'metadata_stac') + bench.value(key, 'metadata_lfence'), 2)
    modes = [metadata(mode) for mode in ('base', 'bound', 'uaccess', 'ringmap')]
    table.add('STAC, CLAC, LFENCE for metadata, TX 64', *modes, '0', reached(float(modes[-1]), 0).strip('*'))
    for window in (64, 16, 1):
        goal, _, _, value, _ = goals[f'sections under the map lock, tx,window={window}']
        table.add(f'locked sections a packet, TX {window}', '', '', '', f'{float(value):.3f}',
                  f'{float(goal):.3f}', reached(float(value), float(goal)).strip('*'))
    for name, workload, remark in (('a device IOTLB message of the rings, two queues, above base', 'rings', ''),
                                   ('the same, of other memory', 'other', ' (b)')):
        goal, _, _, value, _ = goals[f'more instructions than base, message,{workload}']
        table.add(name, '', '', '', value, goal,
                  reached(float(value), float(goal)).strip('*') + remark)


def queue_rows(results, table):
    queues = results.kept['mm-queues']
    for name, op, pages in (('`munmap`, 1 page, 64 queues', 'munmap', 1), ('`mprotect`, the same', 'mprotect', 1),
                            ('`MADV_DONTNEED`, the same', 'dontneed', 1), ('`mprotect`, 64 pages', 'mprotect', 64)):
        limit = f'limit {op}, pages: {pages}, beside 64 queues: ours against off'
        value, goal = queues.value(limit, 'value'), queues.value(limit, 'goal')
        table.add(name, number(queues.value(f'op {op} {pages} 64', 'off'), 0), '', '',
                  number(queues.value(f'op {op} {pages} 64', 'ours'), 0), f'{goal:g} base',
                  f'{reached(value, goal).strip("*")}, {value:.4f} (c)')


def of_goals(goals, pattern):
    values = [float(row[3]) for what, row in goals.items() if re.match(pattern, what) and row[3]]
    return f'{min(values):.3f} to {max(values):.3f}'


def make_goals(results):
    table = Table('figure', 'base', 'bound', 'uaccess', 'ringmap', 'goal for ringmap', 'reached')
    short_rows(results, table)
    queue_rows(results, table)
    goals = results.bench_goals()
    limit = {what.split(',')[1]: row[0] for what, row in goals.items() if what.startswith('uaccess / base,')}
    return [table,
            f'Uaccess / base is {of_goals(goals, "uaccess / base, [tr]x")} (goal: {limit[" tx"]}), and '
            f'{of_goals(goals, "uaccess / base, ring")} for ring only (goal: {limit[" ring"]}).',
            results.measured('bench', 'mm-queues')]


def make_report(results):
    work = results.work
    bench = results.kept['bench']
    results.in_tables(bench.value, work)
    page = awk(['-v', 'out=' + work, '-v', 'accel=' + bench.text('machine rates', 'accel')], 'report', work,
               'goals.tsv', 'counts.tsv', 'messages.tsv', 'rates.tsv')
    lines = page.rstrip('\n').split('\n')
    lines[1:1] = ['', results.measured('bench')]
    return [lines, '## Model',
            'What counts times costs predict, by bench/model.md; printed by `make bench-model`.',
            ['    ' + line if line else '' for line in bench.rows[-1].get('model', [])],
            'What mapped rings cost memory management is in [all figures](../figures.md).']


def packet_table(result):
    table = Table('queue', 'under way', 'accessor', 'instructions', '/ base', 'STAC', 'LFENCE', 'locked', 'sections',
                  'metadata STAC', 'metadata LFENCE')
    for key in result.keys('packet'):
        queue, way, mode = key.split()
        base = result.value(f'packet {queue} {way} base', 'instructions')
        row = 'packet ' + key
        table.add(queue, way, mode, number(result.value(row, 'instructions'), 1),
                  ratio(result.value(row, 'instructions'), base),
                  *(number(result.value(row, n), 2) for n in ('stac', 'lfence', 'locked')),
                  number(result.value(row, 'sections'), 3),
                  *(number(result.value(row, n), 2) for n in ('metadata_stac', 'metadata_lfence')))
    return table


def make_ring_cost(results):
    result = results.kept['ring-cost']
    table = Table('under way', 'accessor', 'instructions', 'STAC', 'LFENCE', 'locked', 'sections', 'metadata STAC',
                  'metadata LFENCE')
    for way in (64, 16, 1):
        for mode in ('base', 'uaccess', 'checked', 'ringmap', 'unmappable'):
            row = f'packet tx {way} {mode}'
            table.add(way if mode == 'base' else '', mode, number(result.value(row, 'instructions'), 1),
                      *(number(result.value(row, n), 2) for n in ('stac', 'lfence', 'locked')),
                      number(result.value(row, 'sections'), 3),
                      *(number(result.value(row, n), 2) for n in ('metadata_stac', 'metadata_lfence')))
    base, mapped, unmappable = (result.value(f'packet tx 64 {mode}', 'instructions')
                                for mode in ('base', 'ringmap', 'unmappable'))
    holds = [(result.value('hold ' + key, 'worst'), result.value('hold ' + key, 'steady'), key)
             for key in result.keys('hold')]
    longest = max(holds)
    return [table,
            f'With 64 under way, mapped rings execute {ratio(mapped, base)} of the base\'s instructions, '
            f'unmappable ones {ratio(unmappable, base)}. The map lock was never held for longer than {max(longest[:2]):.0f} instructions, by '
            f'{longest[2]}(). In the traffic above it was held for no longer than '
            f'{max(hold[1] for hold in holds):.0f}.', results.measured('ring-cost')]


def operations(result, queues):
    for key in result.keys('op'):
        name, pages, beside = key.split()
        if beside == str(queues):
            yield name, pages, result.value('op ' + key, 'off'), result.value('op ' + key, 'ours')


def more_range(result, queues):
    more = [ours - off for name, _, off, ours in operations(result, queues)
            if name in ('munmap', 'mprotect', 'dontneed')]
    return f'{min(more):.0f} to {max(more):.0f}'


def floods(result, processors):
    table = Table('how', 'times in 1e9 instructions', 'uaccess', 'ringmap', 'ratio', 'spread', 'call, uaccess',
                  'call, ringmap')
    for key in result.keys('flood'):
        count, how, asked = key.split()
        row = 'flood ' + key
        if int(count) == processors:
            table.add(how, asked, *(number(result.value(row, n), 0) for n in ('uaccess', 'ringmap')),
                      number(result.value(row, 'ratio'), 3),
                      f'{result.value(row, "least"):.3f} to {result.value(row, "most"):.3f}',
                      *(number(result.value(row, n), 0) for n in ('call_uaccess', 'call_ringmap')))
    return table


def make_mm_queues(results):
    result = results.kept['mm-queues']
    table = Table('call', 'pages', 'without', 'with', 'ratio')
    for name, pages, off, ours in operations(result, 64):
        table.add(name, pages, number(off, 0), number(ours, 0), ratio(ours, off, 4))
    slabs = sum(result.value('memory ' + kind, 'ours') - result.value('memory ' + kind, 'off')
                for kind in ('reclaimable', 'unreclaimable'))
    return [table,
            f'So munmap, mprotect and MADV_DONTNEED take {more_range(result, 64)} instructions more, however '
            f'many pages they change, and {more_range(result, 1024)} with 1024 queues. A queue takes '
            f'{slabs:.0f} bytes in slabs.',
            'Packets in 1e9 instructions while another thread drops the rings, and instructions of the call '
            'that does so; the spread is of neighbouring rounds:',
            floods(result, 1), results.measured('mm-queues')]


def make_trace_cost(results):
    result = results.kept['trace-cost']
    table = Table('accessor', 'none', 'off', 'all on')
    for mode in ('uaccess', 'ringmap'):
        none, off, on = (result.value(f'packet tx 64 {mode}', n) for n in ('none', 'off', 'on'))
        table.add(mode, number(none, 1), ratio(off, none, 4), ratio(on, none, 2))
    return [table, results.measured('trace-cost')]


def make_qemu(name):
    def make(results):
        result = results.kept[name]
        table = Table('what', 'goal', 'cells', 'worst or best cell', 'where', 'reached')
        for what in result.keys('goal'):
            row = 'goal ' + what
            least = result.text(row, 'relation') == '>='
            value, goal = result.value(row, 'value'), result.value(row, 'goal')
            table.add(what, result.text(row, 'relation') + f' {goal:g}', result.text(row, 'cells'),
                      f'{result.text(row, "which")}: {value:.3f}', result.text(row, 'where'),
                      reached(value, goal, least))
        return [table, 'All cells are in [all figures](../bench/figures.md).', results.measured(name)]
    return make


BLOCKS = {
    'goals': (['bench', 'mm-queues'], make_goals),
    'report': (['bench'], make_report),
    'ring-cost': (['ring-cost'], make_ring_cost),
    'mm-queues': (['mm-queues'], make_mm_queues),
    'trace-cost': (['trace-cost'], make_trace_cost),
    'qemu-10.0': (['qemu-10.0'], make_qemu('qemu-10.0')),
    'qemu-7.2': (['qemu-7.2'], make_qemu('qemu-7.2')),
}
# The block's comment: md and rst
BEGIN = re.compile(r'^(?:<!-- |\.\. )figures (\S+)(?: of (\S+) (\w+))?(?: -->)?$')
END = re.compile(r'^(?:<!-- |\.\. )end of figures(?: -->)?$')
# What looks like a figure: a number with three digits or more after the point
LIKE = re.compile(r'(?<![\w.])\d+\.\d{3,}\b')


def comment(text, rst):
    return f'.. {text}' if rst else f'<!-- {text} -->'


def numbers_sum(lines):
    numbers = re.findall(r'\d(?:[\d.]*\d)?', '\n'.join(lines))
    return hashlib.sha1(' '.join(numbers).encode()).hexdigest()[:12]


class Page:
    """A page, as it is and as the results make it."""

    def __init__(self, path, results):
        self.path, self.wrong, self.frozen = path, [], []
        self.text = read(path)
        self.older = set()
        lines, out, block = self.text.split('\n'), [], None
        rst = path.endswith('.rst')
        for at, line in enumerate(lines, 1):
            begin = BEGIN.match(line)
            if begin and block is None:
                block, body = begin, []
            elif block is None:
                out.append(line)
                if LIKE.search(line) and not line.startswith('    '):
                    self.wrong.append(f'{path}:{at}: {LIKE.search(line)[0]} is a figure outside of a block')
            elif END.match(line):
                out += self.block(block, body, results, rst)
                out.append(line)
                block = None
            else:
                body.append(line)
        if block is not None:
            self.wrong.append(f'{path}: the block {block[1]} does not end')
        self.made = '\n'.join(out)

    def block(self, begin, body, results, rst):
        name, commit, total = begin.groups()
        if name not in BLOCKS:
            self.wrong.append(f'{self.path}: no figures are called {name}')
            return [begin[0], *body]
        needs, make = BLOCKS[name]
        if all(need in results.kept for need in needs):
            self.older |= results.older & set(needs)
            return [comment('figures ' + name, rst), '', *render(make(results), rst), '']
        if commit:
            self.frozen.append((name, commit, body))
            if numbers_sum(body) != total:
                self.wrong.append(f'{self.path}: a number of the block {name} is not as it was printed at {commit}')
            return [begin[0], *body]
        missing = ' and '.join(f'`{command(need)}`' for need in needs if need not in results.kept)
        return [comment('figures ' + name, rst), '', *render([f'No figures are kept of {missing} yet.'], rst), '']


def goal_table(results):
    """Every goal of every bench."""
    table = Table('figure', 'measured', 'spread', 'base or bound', 'goal', 'reached', 'by')
    if 'bench' in results.kept:
        for what, (goal, against, _, value, spread) in results.bench_goals().items():
            table.add(what, value, spread, against, '<= ' + goal,
                      reached(float(value) if value else None, float(goal)), 'bench')
    for name, result in results.kept.items():
        for what in result.keys('limit'):
            row = 'limit ' + what
            least = result.text(row, 'least') != ''
            value, goal = result.value(row, 'value'), result.value(row, 'goal')
            table.add(what, number(value, 4), result.spread(row, 'value', 4), '',
                      ('>= ' if least else '<= ') + f'{goal:g}', reached(value, goal, least), name)
        for what in result.keys('goal'):
            row = 'goal ' + what
            relation, value = result.text(row, 'relation'), result.value(row, 'value')
            goal = result.value(row, 'goal')
            table.add(what, number(value, 3), result.spread(row, 'value', 3), '', f'{relation} {goal:g}',
                      reached(value, goal, relation == '>='), name)
    return table


def count_parts(results):
    bench = results.kept['bench']
    counts = Table('workload', *(f'{mode}' for mode in ACCESSORS), 'spread of ringmap')
    barriers = Table('workload', *(f'{mode}' for mode in ACCESSORS))
    rates = Table('workload', *(f'{mode}' for mode in ACCESSORS), 'spread of ringmap')
    workloads = list(dict.fromkeys(key.split()[0] for key in bench.keys('count')))
    for workload in workloads:
        counts.add(workload, *(number(bench.value(f'count {workload} {m}', 'instructions'), 1) for m in ACCESSORS),
                   bench.spread(f'count {workload} ringmap', 'instructions', 1))
        barriers.add(workload, *(number(sum(bench.value(f'count {workload} {m}', n) or 0
                                            for n in ('metadata_stac', 'metadata_lfence')), 2) for m in ACCESSORS))
    for workload in dict.fromkeys(key.split()[0] for key in bench.keys('rate')):
        cells, spread = [], ''
        for mode in ACCESSORS:
            rounds = ' '.join(rows.get(f'rate {workload} {mode}', {}).get('rounds', '') for rows in bench.rows)
            values = [float(v) for v in rounds.split()]
            cells.append(number(median(values) if values else None, 0))
            if mode == 'ringmap' and values:
                spread = f'{min(values):.0f} to {max(values):.0f}'
        rates.add(workload, *cells, spread)
    messages = Table('message', *(f'{mode}' for mode in ACCESSORS if mode != 'bound'))
    for what in dict.fromkeys(key.split()[0] for key in bench.keys('message')):
        messages.add(what, *(number(bench.value(f'message {what} {m}', 'instructions'), 0)
                             for m in ACCESSORS if m != 'bound'))
    return ['Instructions of a packet on vhost\'s worker:', counts,
            'STAC and LFENCE of a packet for virtqueue metadata:', barriers,
            'Instructions of a device IOTLB message:', messages, 'Packets per second:', rates,
            'More of them is in [the report](report/report.md).']


def queue_parts(results):
    result = results.kept['mm-queues']
    table = Table('call', 'pages', 'queues', 'base', 'ours', 'ratio', 'spread of ours')
    for key in result.keys('op'):
        row = 'op ' + key
        off, ours = result.value(row, 'off'), result.value(row, 'ours')
        table.add(*key.split(), number(off, 0), number(ours, 0), ratio(ours, off, 4), result.spread(row, 'ours', 0))
    more = Table('function', 'munmap', 'mprotect', 'dontneed')
    for key in result.keys('more'):
        more.add(key, *(number(result.value('more ' + key, n), 0) for n in ('munmap', 'mprotect', 'dontneed')))
    fills = Table('dropped', 'under way', 'packets until mapped', 'fallen back', 'fills',
                  'instructions more than by uaccess')
    for key in result.keys('fill'):
        fills.add(*key.split(), *(number(result.value('fill ' + key, n), 0)
                                  for n in ('packets', 'fallen_back', 'fills', 'instructions')))
    return ['Instructions of a call on memory that is no ring:', table,
            'What one page costs more with 64 queues, by function:', more,
            'After all pages of both queues were dropped:', fills,
            'Packets in 1e9 instructions while another thread drops the rings, on one processor:', floods(result, 1),
            'The same in a second, on two:', floods(result, 2)]


def cost_parts(results):
    result = results.kept['mm-cost']
    table = Table('operation', 'subscribers', 'base', 'ours', 'ratio', 'spread of ours')
    for key in result.keys('op'):
        row = 'op ' + key
        off, ours = result.value(row, 'off'), result.value(row, 'ours')
        table.add(*key.split(), number(off, 0), number(ours, 0), ratio(ours, off, 4), result.spread(row, 'ours', 0))
    return [table]


def trace_parts(results):
    result = results.kept['trace-cost']
    table = Table('queue', 'under way', 'accessor', 'no tracepoints', 'off', 'on', 'off / none', 'on / none')
    for key in result.keys('packet'):
        none, off, on = (result.value('packet ' + key, n) for n in ('none', 'off', 'on'))
        table.add(*key.split(), number(none, 1), number(off, 1), number(on, 1), ratio(off, none, 4),
                  ratio(on, none, 2))
    return [table]


def kvm_parts(results):
    result = results.kept['kvm-check']
    names = ['dropped_was', 'faults_was', 'flushes_was', 'dropped', 'faults', 'flushes']
    table = Table('paging, action', *(name.replace('_', ', as it ') for name in names))
    for key in result.keys('kvm'):
        table.add(key, *(number(result.value('kvm ' + key, n), 0) for n in names))
    return [table]


def ring_parts(results):
    result = results.kept['ring-cost']
    holds = Table('the map lock is held by', 'times', 'longest, steady', 'longest, worst')
    for key in result.keys('hold'):
        holds.add(key, *(number(result.value('hold ' + key, n), 0) for n in ('times', 'steady', 'worst')))
    return [packet_table(result), 'Instructions:', holds]


def printed_parts(name):
    def parts(results):
        return ['Printed:', ['    ' + line if line else '' for line in results.kept[name].rows[-1].get('printed', [])]]
    return parts


SECTIONS = {
    'bench': ('A packet on vhost\'s worker', count_parts),
    'ring-cost': ('A packet, with the driver\'s system calls', ring_parts),
    'mm-queues': ('What mapped rings cost memory management', queue_parts),
    'mm-cost': ('What subscribers of MMU notifiers cost', cost_parts),
    'trace-cost': ('What tracepoints cost', trace_parts),
    'kvm-check': ('What KVM drops of a guest\'s memory', kvm_parts),
    'qemu-10.0': ('Migration by QEMU 10.0', printed_parts('qemu-10.0')),
    'qemu-7.2': ('Migration by QEMU 7.2', printed_parts('qemu-7.2')),
}


def all_figures(results, pages):
    """The page that has all."""
    parts = ['# All figures',
             'Written by `make figures` from bench/results. Change nothing here by hand. Where a bench ran more '
             'than once, a figure is the median, and the spread is the least and the most. Base is the kernel '
             'without this branch, bound one with raw pointers to the rings.']
    if results.kept:
        parts += ['## Goals', goal_table(results)]
    for name, (title, make) in SECTIONS.items():
        if name in results.kept:
            parts += ['## ' + title, results.measured(name), *make(results)]
        else:
            parts += ['## ' + title, f'No figures are kept of `{command(name)}` yet.']
    frozen = [(page.path, *block) for page in pages for block in page.frozen]
    if frozen:
        parts += ['## Of older commits', 'No results are kept of these; they stand as they were printed at the commit.']
    for path, name, commit, body in frozen:
        parts.append(f'### {path}: {name}, of commit {commit}')
        if path.startswith(REPORT):
            parts.append('See [the report](report/report.md).')
        else:
            lines = '\n'.join(body).strip('\n').split('\n')
            # Pictures and links of the page are seen from there.
            parts.append(['    ' + line if line else '' for line in lines if not line.startswith('![')])
    return '\n'.join(render(parts, False)) + '\n'


def plots(results, directory):
    """The report's pictures; each says at its end of what it is."""
    data = read(f'{results.work}/plot.tsv')
    subprocess.run(['gnuplot', '-e', f"out='{results.work}'", 'bench/plots.gp'], check=True)
    for path in glob.glob(f'{results.work}/*.svg'):
        with open(f'{directory}/{os.path.basename(path)}', 'w', encoding='utf-8') as file:
            file.write(read(path).rstrip('\n') + f'\n<!-- {numbers_sum([data])} -->\n')


def same(a, b):
    return a.replace('\n', ' ').replace(OLDER, '').split() == b.replace('\n', ' ').replace(OLDER, '').split()


def wrong_plots(results):
    total = numbers_sum([read(f'{results.work}/plot.tsv')])
    for path in glob.glob(REPORT + '/*.svg'):
        if f'<!-- {total} -->' not in read(path):
            yield f'{path} is not a picture of bench/results'


def main():
    check = sys.argv[1:] == ['--check']
    if sys.argv[1:] and not check:
        sys.exit(__doc__)
    results = Results()
    if not check:
        results.take_new()
        results.look_for_older()
    with tempfile.TemporaryDirectory() as results.work:
        pages = [Page(path, results) for path in PAGES]
        made = {page.path: page.made for page in pages}
        made[ALL] = all_figures(results, pages)
        wrong = [what for page in pages for what in page.wrong]
        if check:
            wrong += [f'{path} has not what bench/results has' for path, text in made.items()
                      if not os.path.exists(path) or not same(text, read(path))]
            if 'bench' in results.kept:
                wrong += wrong_plots(results)
        else:
            for path, text in made.items():
                with open(path, 'w', encoding='utf-8') as file:
                    file.write(text)
            if 'bench' in results.kept:
                plots(results, REPORT)
    if not check:
        print(made[ALL], end='')
        for page in pages:
            for name in sorted(page.older):
                print(f'figures: {page.path} is stale: {name} was measured at commit '
                      f'{results.kept[name].at["commit"]}; run {command(name)}', file=sys.stderr)
            for name, commit, _ in page.frozen:
                print(f'figures: {page.path} is stale: {name} is of commit {commit}; run '
                      + ' and '.join(command(need) for need in BLOCKS[name][0]), file=sys.stderr)
    for what in wrong[:20]:
        print(f'figures: error: {what}', file=sys.stderr)
    if wrong:
        print("figures: take figures from bench/results with 'make figures'", file=sys.stderr)
    sys.exit(bool(wrong))


main()
