#!/bin/sh
# in-guest.sh outer IMAGE RINGVM VSOCK_TEST ACCESSOR...: in the VM: by each accessor a guest
# whose net and vsock are vhost's, upstream's vsock_test in both directions, and 8 MB by TCP
# there and back. Prints what came of it, a line each.
# in-guest.sh inner VSOCK_TEST: in that guest.
set -eu

host=192.0.2.1 guest=192.0.2.2	# documentation addresses
control=1234 echo=7 bye=9	# TCP ports
take='dd bs=64k count=8M iflag=count_bytes,fullblock status=none'

fail() { echo "in-guest.sh: $*" >&2; exit 1; }

# wait until somebody listens on TCP port $1
listening() {
	port=$(printf ':%04X 0*:0000 0A' "$1")
	tries=0
	until grep -q "$port" /proc/net/tcp*; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || fail "nobody listens on port $1"
		sleep 0.1
	done
}

# In both, one side acts as soon as it knows by TCP that the other did something, which comes by
# vsock and may come later: that frees a port, and makes a send fail. Linux 7.3's test tries to
# send again.
racy='SOCK_STREAM double bind connect|SOCK_STREAM SHUT_RD'

# vsock_test with the arguments that both sides have; the CID of the other is $1
vsock_test() {
	cid=$1
	shift
	# shellcheck disable=SC2046 # words
	"$test" --control-port=$control --peer-cid="$cid" \
		$("$test" --list | sed -nE "s/^([0-9]*)[[:blank:]]*($racy)$/--skip=\1/p") "$@"
}

# start the servers that a client of the other side, whose CID is $1, uses
serve() {
	vsock_test "$1" --mode=server &
	server=$!
	# With -e the socket is the program's own: nc would copy it in small pieces. All is
	# taken before it is sent, lest both sides wait for each other to read.
	busybox nc -l -p $echo -e sh -c "$take > /tmp/echo; cat /tmp/echo" &
	echoer=$!
	listening $control
	listening $echo
}

# use those at $1, whose CID is $2
use() {
	vsock_test "$2" --mode=client --control-host="$1"
	$take < /dev/urandom > /tmp/sent
	busybox nc "$1" $echo -e sh -c "cat /tmp/sent; $take > /tmp/back"
	cmp /tmp/sent /tmp/back || fail "what came back from $1 is not what was sent"
	echo "0 - TCP echo of 8 MB...ok"
}

if [ "$1" = inner ]; then
	test=$2
	busybox ifconfig eth0 $guest netmask 255.255.255.0 up
	use $host 2
	serve 2 > /tmp/served
	busybox nc -l -p $bye > /tmp/bye &
	last=$!
	listening $bye
	echo serving
	wait $server
	wait $echoer
	wait $last
	exit
fi

image=$2 ringvm=$3 test=$4
shift 4
busybox tunctl -t tap0 > /dev/null
busybox ifconfig tap0 $host netmask 255.255.255.0 up
for accessor; do
	echo "$accessor" > /sys/module/vhost/parameters/accessor
	serve 3 > /tmp/served
	: > /tmp/inner
	"$ringvm" --kernel "$image" --accel tcg --cpus 1 --memory 256M --timeout 3000 \
		--quiet --log /tmp/console --qemu "\
-netdev tap,id=net,ifname=tap0,script=no,downscript=no,vhost=on,vhostforce=on \
-device virtio-net-pci,netdev=net -device vhost-vsock-pci,guest-cid=3" -- \
		"sh $0 inner $test" > /tmp/inner &
	vm=$!
	until grep -q serving /tmp/inner; do
		if ! kill -0 $vm 2> /dev/null; then
			cat /tmp/inner /tmp/served /tmp/console >&2
			fail "$accessor: the guest did not get so far as to serve"
		fi
		sleep 0.5
	done
	wait $server
	wait $echoer
	use $guest 3 > /tmp/outer
	for q in /sys/kernel/debug/vhost/*/[0-9]*; do
		grep -q "\[$accessor\]" "$q/accessor" || fail "$q is not accessed by $accessor"
		sed -n "s,^\(used\|mapped\|fallback\) ,$accessor ${q#/*/*/*/*/} &,p" "$q/stats"
	done
	busybox nc $guest $bye < /dev/null
	wait $vm
	sed -n "s/^[0-9]* - /$accessor to-guest &/p" /tmp/outer
	sed -n "s/^[0-9]* - /$accessor to-host &/p" /tmp/inner
done
