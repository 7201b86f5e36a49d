# SPDX-License-Identifier: GPL-2.0-only
# ringmap: 'make help' lists what there is to do.

SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:

# Everything that can be made again lives here, outside the checkout.
RINGMAP_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/ringmap
VARIANT ?= vm
JOBS ?= $(shell nproc)
BASE ?= /usr/src/linux-source-$(shell cat scripts/base-series).tar.xz
OUT ?= out/series
export RINGMAP_CACHE VARIANT JOBS BASE OUT FORCE T SANITIZE

.PHONY: help demo check check-full tree kernel selftests shell refresh series
.PHONY: bench bench-budget
.PHONY: doc-check vhostctl vhostctl-test storm fuzz bisect-check off-proof barriers mutants mm-causes mm-cost mm-queues ring-cost bench-model trace-cost order hmm-tests guest tools lint clean distclean
.PHONY: qemu qemu-refresh qemu-check qemu-bench qemu-demo

help:
	@sed -n 's/^#| \?//p' Makefile
#| ringmap: coherent kernel mappings for vhost rings, on Linux 6.12
#|
#|   make demo          packets through mapped rings, beside user access; out/demo.json
#|   make check         all tests
#|   make check-full    and the debug kernel, the mutants, bisect-check and qemu-check
#|
#|   make tree          base kernel plus our commits, as a git tree; prints its path
#|   make kernel        build it: VARIANT=vm (default), debug, kcsan or off; prints the image
#|   make shell         a prompt in a VM with vhost and the selftests
#|   make selftests     run the selftests in the VM; VARIANT=vm, debug or kcsan; T=name for one
#|   make storm         10 million packets while all that can change does; VARIANT=debug
#|   make fuzz          the accessors compared on random calls; SEED=1 CALLS=20000 VMS=1 REPLAY=
#|   make vhostctl      the tool that shows and steers all this; prints its path
#|   make vhostctl-test its checker, its pages, and each verb in the VM
#|   make refresh       write edits made in the tree back to this repository
#|   make series        patches for 'git am'; OUT=dir (out/series)
#|
#|   make mm-causes     why memory is invalidated: what each cause keeps, who is called
#|   make mm-cost       instructions that subscribers cost page-table changes
#|   make mm-queues     what mapped rings cost other memory, and invalidations cost them
#|   make ring-cost     instructions, STAC, LFENCE and locks that a packet costs
#|   make bench         all that a packet costs, by every accessor and by the bound; a report
#|                      with plots in out/bench; QUICK=1 is a subset
#|   make bench-budget  set bench/budget.json, which 'make check' holds counts against
#|   make bench-model   what ringmap gains by a model of costs, and how well that holds; COUNTS=file
#|   make order         rules of order and locks, over 10 minutes of traffic
#|   make trace-cost    instructions that tracepoints cost a packet, off and on
#|   make hmm-tests     upstream's tests of another subscriber, here and on the base
#|   make doc-check     the commands of our pages, and what they print
#|   make guest         a guest in the VM, its net and vsock by each accessor: upstream's vsock_test
#|   make lint          checkpatch, sparse, W=1, shellcheck
#|   make off-proof     options off: the same machine code as the base
#|   make bisect-check  the touched directories build at each commit
#|   make barriers      memory barriers and index clamps, in machine code
#|   make mutants       with a guard removed, a test fails; T=name for one
#|   make clean         remove out/
#|   make distclean     and the cache
#|
#|   make qemu          QEMU 7.2 with our patches of migration; prints its path; PREFIX=dir installs
#|   make qemu-demo     a migration beside a bandwidth limit by each policy, as a picture
#|   make qemu-check    our patches by checkpatch, and QEMU's tests of migration; T=name for one;
#|                      SANITIZE=1 with ASan and UBSan
#|   make qemu-bench    pages/s by each policy over limits, threads and ratios (an hour); QUICK=1
#|   make qemu-refresh  write the commits made in the tree back to qemu/
#|
#| Variables: RINGMAP_CACHE (~/.cache/ringmap), JOBS (processors), BASE (tarball of
#| the base, /usr/src/linux-source-6.12.tar.xz), FORCE=1 (drop edits in the tree)

demo:
	@scripts/deps.sh install build vm tools
	@scripts/demo.sh

check:
	@scripts/deps.sh install build vm lint tools qemu
	@scripts/check.sh

check-full:
	@scripts/deps.sh install build vm lint tools qemu
	@scripts/check.sh full

tree:
	@scripts/deps.sh check build
	@scripts/compose.sh

kernel:
	@scripts/deps.sh check build
	@scripts/compose.sh >/dev/null
	@scripts/build.sh

selftests storm fuzz:
	@scripts/deps.sh check build vm
	@scripts/$@.sh

vhostctl:
	@scripts/deps.sh check tools
	@$(MAKE) -s -C tools/vhost OUTPUT=$(RINGMAP_CACHE)/build/vhostctl
	@echo $(RINGMAP_CACHE)/build/vhostctl/vhostctl

doc-check:
	@scripts/deps.sh check build vm tools
	@scripts/doc-test.sh

vhostctl-test:
	@scripts/deps.sh check build vm tools
	@scripts/vhostctl-test.sh

shell:
	@scripts/deps.sh check build vm
	@scripts/shell.sh

refresh:
	@scripts/refresh.sh

series:
	@scripts/deps.sh check build
	@scripts/compose.sh >/dev/null
	@scripts/series.sh

bisect-check off-proof barriers mutants mm-causes mm-cost mm-queues ring-cost trace-cost order hmm-tests guest lint:
	@scripts/deps.sh check build vm lint
	@scripts/compose.sh >/dev/null
	@scripts/$@.sh

bench:
	@scripts/deps.sh install build vm tools
	@scripts/bench.sh

bench-budget:
	@scripts/deps.sh check build vm
	@scripts/bench.sh set-budget > bench/budget.new
	@mv bench/budget.new bench/budget.json

bench-model:
	@scripts/deps.sh check build
	@scripts/bench-model.sh $(COUNTS)

qemu:
	@scripts/deps.sh check qemu
	@scripts/qemu-source.sh >/dev/null
	@scripts/qemu-build.sh

qemu-demo:
	@scripts/deps.sh install qemu
	@scripts/qemu-bench.sh demo

qemu-bench:
	@scripts/deps.sh check qemu $(if $(QUICK),,build)
	@scripts/qemu-bench.sh

qemu-check qemu-refresh:
	@scripts/deps.sh check qemu
	@scripts/$@.sh

clean:
	rm -rf out

distclean: clean
	rm -rf "$(RINGMAP_CACHE)"
