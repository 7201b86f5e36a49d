# shellcheck shell=bash disable=SC2034,SC2154
# Sourced after common.sh: vsock_test that waits for longer. Upstream's timeout.h is left out, as if
# it had been read, and ours is in its place.

vsock=$cache/build/vsock-patient
build_patient_vsock_test() {
	CFLAGS="-DTIMEOUT_H -include $here/tests/vsock-timeout.h" build_vsock_test
}
