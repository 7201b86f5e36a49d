#!/usr/bin/python3
"""In a VM: migrate.py ROUNDS [ACCESSOR...]: migrate a guest back and forth between two QEMUs,
ROUNDS times in each way by each accessor, while packets go through its vhost-net. A line each.

The guest's processor is halted: this program is its driver. QEMU's qtest protocol gives it the
guest's memory and registers. So it knows what the guest has sent and received, and nothing has
to boot. To the memory, to vhost and to QEMU's migration it is as any guest: what the driver
writes is marked dirty by QEMU, and what vhost writes by vhost's dirty log."""

import base64
import glob
import hashlib
import json
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time

PATIENCE = 300          # seconds for anything
STREAM = 8 << 20        # bytes that pass in each direction during each migration, at least
FRAME = 1400            # bytes
HEADER = 12             # of virtio-net, before each
BATCH = 64              # frames in each direction at once
SLOTS = 2048            # buffers of a queue, used in turn, so that much memory is written
SLOT = 2048             # bytes of each
NUM = 256               # entries of a queue
MEMORY = 64             # MB of the guest
QUEUES = 0x1000000      # addresses in it: rings,
DATA = 0x1800000        # buffers,
STILL = 0x2000000       # and, behind what vhost writes, memory that stays as it is
STILL_SIZE = 8 << 20
BAR = 0xc0000000        # where the device's registers are put
HELD = 1 << 20          # bytes of the migration, before it is held back
SLOW, FAST = 1 << 20, 1 << 30   # bytes a second after the switch to postcopy
DEBUGFS = '/sys/kernel/debug/vhost'
DEFAULT = '/sys/module/vhost/parameters/accessor'
ACCESSORS = 'uaccess', 'checked', 'ringmap'
RX, TX = 0, 1


def fail(*words):
    print('migrate.py:', *words, file=sys.stderr, flush=True)
    os._exit(1)


def wait_for(what, condition):
    """Until the condition is true: its value"""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    return fail('waited in vain for', what)


def write(path, text):
    with open(path, 'w') as f:
        f.write(text)


class Wire:
    """The host's end of a guest's net"""

    def __init__(self, side):
        self.tap = 'tap%d' % side
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.bind((self.tap, 0))
        self.socket.setblocking(False)
        self.qemu = ['-netdev', 'tap,id=net,ifname=%s,script=no,downscript=no,vhost=on,'
                     'vhostforce=on' % self.tap]

    def wait_for_link(self):
        """Until then, what is sent is dropped."""
        def is_up():
            with open('/sys/class/net/%s/operstate' % self.tap) as f:
                return f.read() == 'up\n'

        wait_for('the link of ' + self.tap, is_up)
        # Waits for who is just setting it up.
        subprocess.run(['ip', 'link', 'set', self.tap, 'up'], check=True)

    def send(self, frame):
        self.socket.send(frame)

    def take(self):
        """A frame that came from the guest, or None"""
        while True:
            try:
                frame, where = self.socket.recvfrom(1 << 16)
            except BlockingIOError:
                return None
            if where[2] != socket.PACKET_OUTGOING and frame[12:14] == b'\x88\xb5':
                return frame


class Relay:
    """Between the two: holds back what is migrated, so that it does not end before it may"""

    def __init__(self, source, target):
        self.target = target
        self.passed = 0
        self.may_end = threading.Event()
        if os.path.exists(source):
            os.unlink(source)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(source)
        self.listener.listen()
        self.run(self.accept)

    @staticmethod
    def run(what, *arguments):
        threading.Thread(target=what, args=arguments, daemon=True).start()

    def accept(self):
        while True:
            source, _ = self.listener.accept()
            target = socket.socket(socket.AF_UNIX)
            target.connect(self.target)
            self.run(self.copy, source, target, True)
            self.run(self.copy, target, source, False)

    def copy(self, here, there, is_held):
        try:
            for data in iter(lambda: here.recv(1 << 16), b''):
                self.passed += len(data)
                if is_held and self.passed > HELD:
                    self.may_end.wait()
                there.sendall(data)
            there.shutdown(socket.SHUT_WR)
        except OSError:
            pass    # One of the two has ended, and knows whether that is well.


class Qemu:
    """One of the two"""

    def __init__(self, side, incoming):
        before = self.devices()
        self.side = side
        self.wire = Wire(side)
        paths = ['qmp%d' % side, 'qtest%d' % side]
        for path in paths:
            if os.path.exists(path):
                os.unlink(path)
        self.log = 'qemu%d' % side
        with open(self.log, 'w') as log:
            self.process = subprocess.Popen([
                'qemu-system-x86_64', '-nodefaults', '-no-user-config', '-display', 'none',
                '-machine', 'pc', '-accel', 'tcg', '-bios', 'bios', '-m', str(MEMORY),
            ] + self.wire.qemu + [
                '-device', 'virtio-net-pci,netdev=net,romfile=,disable-legacy=on,addr=4',
                '-qmp', 'unix:%s,server=on,wait=off' % paths[0],
                '-qtest', 'unix:%s,server=on,wait=off' % paths[1], '-qtest-log', '/dev/null',
            ] + ['-incoming', 'defer'] * incoming, stdout=log, stderr=log)
        self.qmp, self.qtest = (self.connect(path) for path in paths)
        self.qmp.readline()
        self.tell('qmp_capabilities')
        self.device = wait_for('a vhost device', lambda: self.devices() - before).pop()
        self.wire.wait_for_link()

    @staticmethod
    def devices():
        return set(glob.glob(DEBUGFS + '/[0-9]*-*'))

    def is_alive(self):
        if self.process.poll() is not None:
            with open(self.log) as f:
                fail('QEMU died:', f.read())
        return True

    def connect(self, path):
        wait_for(path, lambda: self.is_alive() and os.path.exists(path))
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(PATIENCE)
        wait_for(path, lambda: not s.connect_ex(path))
        return s.makefile('rw')

    def line(self, file):
        line = file.readline()
        if not line:
            self.process.wait()
            self.is_alive()
        return line

    def tell(self, command, **arguments):
        """By QMP"""
        json.dump({'execute': command, 'arguments': arguments}, self.qmp)
        self.qmp.flush()
        while True:
            answer = json.loads(self.line(self.qmp))
            if 'error' in answer:
                fail(command, answer['error']['desc'])
            if 'return' in answer:
                return answer['return']

    def do(self, *words):
        """By qtest"""
        print(*words, file=self.qtest, flush=True)
        while True:
            answer = self.line(self.qtest).split()
            if answer[0] == 'OK':
                return answer[1] if len(answer) > 1 else ''
            if answer[0] != 'IRQ':
                fail(*words[:2], 'gives', *answer)

    def read(self, size, address):
        return int(self.do('read' + size, address), 0)

    def get(self, address, size):
        return base64.b64decode(self.do('b64read', address, size))

    def put(self, address, data):
        self.do('b64write', address, len(data), base64.b64encode(data).decode())

    def config_address(self, offset):
        self.do('outl', 0xcf8, 0x80000000 | 4 << 11 | offset & ~3)

    def config(self, size, offset):
        self.config_address(offset)
        return int(self.do('in' + size, 0xcfc + (offset & 3)), 0)

    def set_config(self, size, offset, value):
        self.config_address(offset)
        self.do('out' + size, 0xcfc + (offset & 3), value)

    def stats(self):
        """Sums over the queues"""
        total = {}
        for path in glob.glob(self.device + '/[0-9]*/stats'):
            with open(path) as f:
                for line in f:
                    name, value = line.split()
                    total[name] = total.get(name, 0) + int(value)
        return total

    def accessors(self):
        """Of its queues"""
        found = set()
        for path in glob.glob(self.device + '/[0-9]*/accessor'):
            with open(path) as f:
                found.add(f.read().split('[')[1].split(']')[0])
        return found

    def quit(self):
        self.tell('quit')
        self.process.wait(PATIENCE)


class Queue:
    """The driver's view of a queue"""

    def __init__(self, index):
        self.index = index
        self.desc, self.avail, self.used = (QUEUES + 0x10000 * index + 0x4000 * i
                                            for i in range(3))
        self.data = DATA + index * SLOTS * SLOT
        self.added = 0          # buffers, since the start
        self.done = 0           # of these, used by vhost

    def place(self, n):
        """Of the nth buffer"""
        return self.data + n % SLOTS * SLOT


def frame(number, direction):
    """Ethernet, to everybody, of an experimental type"""
    head = struct.pack('<6s6s2sIB', b'\xff' * 6, b'\x02\0\0\0\0\1', b'\x88\xb5', number, direction)
    return head + random.Random(number * 2 + direction).randbytes(FRAME - len(head))


class Driver:
    """The guest's driver, and who is on the other side of its net"""

    def __init__(self, qemu):
        self.qemu = qemu
        self.queues = [Queue(i) for i in (RX, TX)]
        self.arrived = 0        # frames of the guest's, at the host
        self.again = 0          # frames that were lost with a tap
        still = random.Random(0).randbytes(STILL_SIZE)
        for at in range(0, STILL_SIZE, 1 << 20):
            qemu.put(STILL + at, still[at:at + (1 << 20)])
        self.still = hashlib.sha256(still).digest()
        self.find_registers()
        self.start()

    def find_registers(self):
        """Where the virtio structures are in the device's BAR 4"""
        q = self.qemu
        q.set_config('l', 0x20, BAR)
        q.set_config('l', 0x24, 0)
        q.set_config('w', 4, 6)
        at = q.config('b', 0x34)
        where = {}
        while at:
            if q.config('b', at) == 9 and q.config('b', at + 4) == 4:
                kind = q.config('b', at + 3)
                where[kind] = BAR + q.config('l', at + 8)
                if kind == 2:
                    self.step = q.config('l', at + 16)
            at = q.config('b', at + 1)
        self.common, self.notify = where[1], where[2]

    def start(self):
        q = self.qemu
        for status in 0, 1, 3:
            q.do('writeb', self.common + 20, status)
        for select, features in (0, 0), (1, 1):     # VIRTIO_F_VERSION_1
            q.do('writel', self.common + 8, select)
            q.do('writel', self.common + 12, features)
        q.do('writeb', self.common + 20, 11)
        if q.read('b', self.common + 20) != 11:
            fail('the device does not take the features')
        for queue in self.queues:
            q.do('writew', self.common + 22, queue.index)
            q.do('writew', self.common + 24, NUM)
            for at, value in (32, queue.desc), (40, queue.avail), (48, queue.used):
                q.do('writel', self.common + at, value)
                q.do('writel', self.common + at + 4, 0)
            queue.doorbell = self.notify + self.step * q.read('w', self.common + 30)
            q.do('writew', self.common + 28, 1)
        q.do('writeb', self.common + 20, 15)

    def add(self, queue, flags, size):
        """The next BATCH buffers"""
        first = queue.added % NUM
        q = self.qemu
        places = [queue.place(queue.added + i) for i in range(BATCH)]
        q.put(queue.desc + 16 * first,
              b''.join(struct.pack('<QIHH', p, size, flags, 0) for p in places))
        q.put(queue.avail + 4 + 2 * first,
              struct.pack('<%dH' % BATCH, *range(first, first + BATCH)))
        queue.added += BATCH
        q.do('writew', queue.avail + 2, queue.added % 65536)

    def kick(self):
        for queue in self.queues:
            self.qemu.do('writew', queue.doorbell, queue.index)

    def offer(self):
        """A batch in each direction; nobody waits for it"""
        rx, tx = self.queues
        self.add(rx, 2, SLOT)
        first = tx.place(tx.added)
        self.qemu.put(first, b''.join(
            (b'\0' * HEADER + frame(tx.added + i, TX)).ljust(SLOT, b'\0') for i in range(BATCH)))
        self.add(tx, 0, HEADER + FRAME)
        self.kick()
        self.send(rx.added - BATCH)

    def send(self, first):
        for n in range(first, self.queues[RX].added):
            self.qemu.wire.send(frame(n, RX))

    def new(self, queue):
        """Buffers that vhost has used since: they come in order."""
        q = self.qemu
        n = (q.read('w', queue.used + 2) - queue.done) % 65536
        if n > queue.added - queue.done:
            fail('queue', queue.index, 'has', n, 'used buffers, and', queue.added - queue.done,
                 'are available')
        if not n:
            return 0
        first = queue.done % NUM
        used = q.get(queue.used + 4 + 8 * first, 8 * min(n, NUM - first))
        n = len(used) // 8
        for i in range(n):
            head, size = struct.unpack_from('<II', used, 8 * i)
            if head != first + i or size != (HEADER + FRAME if queue.index == RX else 0):
                fail('queue', queue.index, 'buffer', queue.done + i, 'is used as', head, size)
        return n

    def take(self, wires):
        """What has come; true if that is all"""
        rx, tx = self.queues
        n = self.new(rx)
        if n:
            at = rx.done % SLOTS
            n = min(n, SLOTS - at)
            data = self.qemu.get(rx.place(rx.done), n * SLOT)
            for i in range(n):
                got = data[i * SLOT + HEADER:i * SLOT + HEADER + FRAME]
                if got != frame(rx.done + i, RX):
                    fail('the guest received another frame than', rx.done + i)
            rx.done += n
        tx.done += self.new(tx)
        for wire in wires:
            for got in iter(wire.take, None):
                if got != frame(self.arrived, TX):
                    fail('the guest sent another frame than', self.arrived)
                self.arrived += 1
        return rx.done == rx.added and tx.done == tx.added == self.arrived

    def round(self):
        self.offer()
        self.finish([self.qemu.wire])

    def finish(self, wires):
        wait_for('frames: %s' % [(q.added, q.done) for q in self.queues], lambda: self.take(wires))

    def move(self, qemu):
        """The guest runs there now. What was in the tap that it had is lost."""
        wires = [self.qemu.wire, qemu.wire]
        self.qemu = qemu
        # What vhost wrote after the page was sent came only if the dirty log said so.
        rx = self.queues[RX]
        for n in range(max(rx.done - NUM, 0), rx.done):
            if qemu.get(rx.place(n) + HEADER, FRAME) != frame(n, RX):
                fail('a frame that the guest received before did not come with it:', n)
        self.kick()
        self.take(wires)
        self.again += self.queues[RX].added - self.queues[RX].done
        self.send(self.queues[RX].done)
        self.finish(wires)

    def is_still(self):
        found = hashlib.sha256()
        for at in range(0, STILL_SIZE, 1 << 20):
            found.update(self.qemu.get(STILL + at, 1 << 20))
        return found.digest() == self.still


def prepare(qemu, how):
    """The capabilities that both sides need"""
    wanted = {'compression': 'multifd', 'postcopy': 'postcopy-ram'}[how]
    qemu.tell('migrate-set-capabilities', capabilities=[
        {'capability': name, 'state': name == wanted} for name in ('multifd', 'postcopy-ram')])
    qemu.tell('migrate-set-parameters', **{
        'max-bandwidth': FAST, 'max-postcopy-bandwidth': SLOW, 'downtime-limit': 1,
        'multifd-channels': 2, 'multifd-compression': 'zlib'})


def migrate(driver, target, how):
    """Returns what it took"""
    source = driver.qemu
    batches = STREAM // (BATCH * FRAME) + 1
    for side in source, target:
        prepare(side, how)
    target.tell('migrate-incoming', uri='unix:to')
    relay = Relay('from', 'to')
    start = time.monotonic()
    source.tell('migrate', uri='unix:from')

    def status():
        target.is_alive()
        now = source.tell('query-migrate')
        if now['status'] in ('failed', 'cancelled'):
            fail('the migration:', now)
        return now

    def is_running():
        return target.tell('query-status')['running']

    wait_for('the start', lambda: status()['status'] == 'active' and relay.passed > HELD)
    for _ in range(batches // 2):
        driver.round()
    if status()['status'] != 'active':
        fail('it is over before the traffic is:', status())
    # Its end finds buffers that vhost has not used, and frames on their way.
    driver.offer()
    if how == 'postcopy':
        source.tell('migrate-start-postcopy')
    else:
        source.tell('migrate-set-parameters', **{'downtime-limit': 60000})
    relay.may_end.set()
    wait_for('the guest to run', is_running)
    driver.move(target)
    early = 0       # batches while memory is still missing
    for _ in range(batches - batches // 2):
        driver.round()
        early += how == 'postcopy' and status()['status'] == 'postcopy-active'
    source.tell('migrate-set-parameters', **{'max-postcopy-bandwidth': FAST})
    wait_for('the end', lambda: status()['status'] == 'completed')
    if how == 'postcopy' and not early:
        fail('no batch went while memory was missing')
    if not driver.is_still():
        fail('memory that nobody writes has changed')
    return time.monotonic() - start, status()['ram']['transferred'] / 1e6, early


def main():
    rounds = int(sys.argv[1])
    with open('bios', 'wb') as f:
        f.write((b'\xfa\xf4' + b'\0' * 14).rjust(1 << 16, b'\0'))   # cli, hlt: where it starts
    driver = Driver(Qemu(0, False))
    driver.round()
    for accessor in sys.argv[2:] or ACCESSORS:
        write(DEFAULT, accessor)
        write(driver.qemu.device + '/accessor', accessor)
        for how in 'compression', 'postcopy':
            for i in range(rounds):
                source, before = driver.qemu, driver.arrived
                driver.again = 0
                target = Qemu(1 - source.side, True)
                seconds, sent, early = migrate(driver, target, how)
                for side in source, target:
                    if side.accessors() != {accessor}:
                        fail('queues are accessed by', side.accessors(), 'and not by', accessor)
                stats = target.stats()
                if (stats['mapped'] > 0) != (accessor == 'ringmap'):
                    fail(stats['mapped'], 'accesses are mapped by', accessor)
                source.quit()
                print('%-8s %-12s %2d: %5.1f s, %5.1f MB; %d frames each way, %d sent again, '
                      '%d while memory was missing; %.2f %% mapped ok' % (
                          accessor, how, i + 1, seconds, sent, driver.arrived - before,
                          driver.again, early * BATCH,
                          100 * stats['mapped'] / (stats['mapped'] + stats['fallback'] or 1)),
                      flush=True)
    driver.qemu.quit()


if __name__ == '__main__':
    main()
