#!/usr/bin/env bash
# model.sh: what is read without a lock, by spin: every interleaving of small programs, on
# processors whose stores reach the others one by one (tests/model/cpu.pml). With all
# barriers in place nothing is found; without one, what it is there for is.
. scripts/common.sh

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

compile() (
	mkdir "$tmp/$1"
	cd "$tmp/$1" || exit
	cp "$here"/tests/model/*.pml .
	spin -a "$1.pml" >&2
	gcc -O2 -w -DSAFETY -o pan pan.c
)

# search PROGRAM: never, found, or why it is neither. A search that was cut short has no
# errors either, and is no verdict.
search() (
	cd "$tmp/$1" || exit
	out=$(./pan -n -b -w18 2>&1) || true
	case $out in
	*'pan:1: assertion violated (stores['*) echo "no verdict (STORES is too small)" ;;
	*'pan:1: assertion violated '*) echo found ;;
	*'not completed'*) echo "cut short (${out%%$'\n'*})" ;;
	*', errors: 0'*) echo never ;;
	*) echo "no verdict (${out%%$'\n'*})" ;;
	esac
)

bad=0
# judge WANTED FOUND WHAT
judge() {
	if [ "$1" = "$2" ]; then
		echo "ok    $3: $2"
	else
		echo "WRONG $3: $2, expected $1"
		bad=1
	fi
}

litmus() { judge "$1" "$(LITMUS=$3 search litmus)" "$2 ($3)"; }

# expect PROGRAM WANTED CHANGES [WHAT]
expect() { judge "$2" "$(CHANGES=$3 search "$1")" "$1${3:+ $3}${4:+ ($4)}"; }

# reads WANTED CHANGES WHAT: four searches: another owner's value is used, where the callback's
# CPU or another one has the page next; a value that is too old is used, the same.
reads() {
	local i words=('' +other-cpu +fresh '+fresh +other-cpu')
	for i in 0 1 2 3; do
		CHANGES="$2 ${words[i]}" search read > "$tmp/$i" &
	done
	wait
	judge "$1" "$(cat "$tmp"/{0,1,2,3} | paste -sd ' ')" "read${2:+ $2} ($3)"
}

for program in litmus read store notify region; do
	compile "$program" &
done
wait

say "the processors: what is known of them"
litmus never CoRR 'Wx | Rx=1 . Rx=0'
litmus never MP 'Wx wmb Wy | Ry=1 rmb Rx=0'
litmus never MP 'Wx rel Wy | Ry=1 acq Rx=0'
litmus never MP 'Wx rel Wy | Ry=1 dep Rx=0'
litmus found MP 'Wx . Wy | Ry=1 rmb Rx=0'
litmus found MP 'Wx rmb Wy | Ry=1 acq Rx=0'
litmus found MP 'Wx rel Wy | Ry=1 . Rx=0'
litmus found MP 'Wx mb Wy | Ry=1 wmb Rx=0'
litmus never SB 'Wx mb Ry=0 | Wy mb Rx=0'
litmus found SB 'Wx . Ry=0 | Wy . Rx=0'
litmus found SB 'Wx mb Ry=0 | Wy . Rx=0'
litmus found SB 'Wx wmb Ry=0 | Wy wmb Rx=0'
litmus found SB 'Wx rmb Ry=0 | Wy rmb Rx=0'
litmus found SB 'Wx rel Ry=0 | Wy rel Rx=0'
litmus never WRC 'Wx | Rx=1 rel Wy | Ry=1 rmb Rx=0'
litmus never WRC 'Wx | Rx=1 mb Wy | Ry=1 dep Rx=0'
litmus found WRC 'Wx | Rx=1 wmb Wy | Ry=1 rmb Rx=0'
litmus found WRC 'Wx | Rx=1 acq Wy | Ry=1 acq Rx=0'
litmus found WRC 'Wx | Rx=1 rel Wy | Ry=1 . Rx=0'
litmus never ISA2 'Wx rel Wy | Ry=1 acqrel Wz | Rz=1 acq Rx=0'
litmus never ISA2 'Wx wmb Wy | Ry=1 rel Wz | Rz=1 rmb Rx=0'
litmus never ISA2 'Wx mb Wy | Ry=1 acq Wz | Rz=1 rmb Rx=0'
litmus found ISA2 'Wx rel Wy | Ry=1 acq Wz | Rz=1 rmb Rx=0'
litmus found ISA2 'Wx . Wy | Ry=1 rel Wz | Rz=1 rmb Rx=0'
litmus never RWC 'Wx | Rx=1 mb Ry=0 | Wy mb Rx=0'
litmus found RWC 'Wx | Rx=1 rmb Ry=0 | Wy mb Rx=0'
litmus never IRIW 'Wx | Wy | Rx=1 mb Ry=0 | Ry=1 mb Rx=0'
litmus found IRIW 'Wx | Wy | Rx=1 mb Ry=0 | Ry=1 acq Rx=0'
litmus found IRIW 'Wx | Wy | Rx=1 rmb Ry=0 | Ry=1 rmb Rx=0'
litmus found IRIW 'Wx | Wy | Rx=1 acq Ry=0 | Ry=1 acq Rx=0'

say "reads: used of the page's next owner (it is the callback's CPU, another); too old (the same)"
reads 'never never never never' '' 'all in place'
reads 'never never never never' +kept 'address and sequence are older than the index'
reads 'found found never never' -acquire 'the address is older than the sequence'
reads 'found found found found' '-acquire +kept' 'the same, and older than the index'
reads 'found found never found' -dependency 'the content is older than the address'
reads 'found found never never' -rmb 'the second look is before the read'
reads 'found found never never' -release 'the sequence arrives before the cleared address'
reads 'found found never never' -clear-first 'the sequence moves before the address is cleared'
reads 'found found found found' -mb 'the page changes hands before the sequence arrives'
reads 'never found found found' +mb-is-wmb 'it arrives before the own stores only'
reads 'found found never found' -fill-release 'the address arrives before the content'
reads 'found found found found' -fill-check 'a fill after the callback'
reads 'never never found found' -idx-rmb 'the buffer is older than the index'
reads 'never never found found' -driver-wmb 'the index arrives before the buffer'
expect read found +cover 'a buffer is used after two migrations'

say "stores: a stray or a lost one"
expect store never '' 'all in place'
expect store never -mb 'the lock suffices'
expect store found -worker-lock
expect store found -callback-lock
expect store found +cover 'a store goes through the address'

say "notifications: used elements not seen, a lost kick, a lost interrupt"
expect notify never '' 'all in place'
expect notify never -migration 'the page stays'
expect notify never -callback-mb "the driver's barrier passes on what it knows"
expect notify found -wmb
expect notify found -driver-rmb
expect notify found '-mb +kick' 'a kick'
expect notify found '-mb +interrupt' 'an interrupt'
expect notify found -kick-mb
expect notify found -event-mb
expect notify found +cover 'the device sleeps, with a kick to come'

say "a ring moves: its offset with the other place's page, a value of the page's next owner"
expect region never '' 'all in place'
expect region found -clear 'the old page with the new length'
expect region found -bump 'the old offset with the new page'
expect region found -ioctl-mb 'the sequence arrives too late'
expect region found -callback-mb
expect region found -len
expect region found -len-acquire
expect region found +cover 'the new page is read'
expect region never +in-place 'another offset in the same page'
expect region found '+in-place -bump'
expect region found '+in-place -offset'
expect region found '+in-place -len'
expect region found '+in-place -len-acquire'
expect region found '+in-place +cover' 'the new offset is used'
exit "$bad"
