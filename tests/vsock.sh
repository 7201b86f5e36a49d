# shellcheck shell=bash disable=SC2154
# Sourced after common.sh: upstream's vsock_test, which waits for longer; it is in $vsock.

vsock=$cache/build/vsock-patient
build_vsock_test() {
	local source=$tree/tools/testing/vsock
	mkdir -p "$vsock"
	# Upstream's header is left out, as if it had been read.
	logged vsock-build make -C "$vsock" -f "$source/Makefile" VPATH="$source" \
		CPPFLAGS="-I$source -I$tree/tools/include -DTIMEOUT_H -include $here/tests/vsock-timeout.h" \
		vsock_test || exit 1
}
