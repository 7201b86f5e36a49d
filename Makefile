# SPDX-License-Identifier: GPL-2.0-only
# ringmap: 'make help' lists what there is to do.

SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:

# The kernel series that the branch stands on: a directory of patches/.
KERNEL ?= 6.12
# Everything that can be made again lives here, outside the checkout.
RINGMAP_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/ringmap
VARIANT ?= vm
JOBS ?= $(shell nproc)
# The package of the release we run on, or what is fetched from newer ones.
BASE ?= $(if $(filter 6.12,$(KERNEL)),/usr/src,$(RINGMAP_CACHE)/$(KERNEL))/linux-source-$(KERNEL).tar.xz
OUT ?= out/series
# The QEMU that the qemu targets are about: a directory of qemu/.
QEMU ?= 10.0
export KERNEL RINGMAP_CACHE VARIANT JOBS BASE OUT FORCE MEND T SANITIZE PART WORKERS QEMU

deps = @scripts/deps.sh

.PHONY: help help-all demo check check-full check-rounds clean distclean
help:
	@sed -n 's/^#| \?//p' Makefile
help-all:
	@sed -n 's/^#[|+] \?//p' Makefile

#| ringmap: coherent kernel mappings for virtqueue metadata, on Linux 6.12
#|
#|   make demo         build a kernel, boot it, send packets through mapped
#|                     rings; about 9 minutes the first time; begin here
#|   make check        all tests, 30 to 55 minutes
#|   make check-full   all tests and the slow ones; PART=name runs one part
#|   make shell        a prompt in a VM with vhost, vhostctl and the selftests
#|   make selftests    run the selftests in the VM; T=name runs one test
#|   make bench        count what a packet costs, by each accessor and on the
#|                     base; writes a report with plots; QUICK=1 is a subset
#|   make deb          packages: modules for stock 6.12 kernels, and vhostctl
#|   make qemu-demo    migrate with adaptive compression, draw a picture
#|
#|   make tree         base kernel plus our commits, as a git tree
#|   make kernel       build that tree
#|   make refresh      write edits made in the tree back to this repository
#|   make series       write patches for 'git am' to OUT=dir
#|   make bases        list the kernel packages that the branch applies to
#|   make clean        remove out/; 'make distclean' removes the cache, too
#|
#| Everything built is in RINGMAP_CACHE (~/.cache/ringmap). 'make help-all'
#| lists every target and variable.
#+
#+ Build
#+   make vhostctl      build vhostctl and print its path
#+   make qemu          build QEMU with our migration patches; PREFIX=dir
#+                      installs it
#+   make qemu-refresh  write the commits in QEMU's tree back to qemu/$QEMU
#+   make qemu-predict  build a program that tells how long a migration of a
#+                      guest would take, and print its path
#+
#+ Test (VARIANT=vm, modular, debug, kcsan or rt selects the kernel where it can)
#+   make lint          checkpatch, sparse, W=1, shellcheck
#+   make check-rounds  20 rounds of the selftests, while a kernel is built beside them;
#+                      a run that was stopped goes on; lists tests that failed in any
#+   make off-proof     options off: the same machine code as the base
#+   make barriers      memory barriers and index clamps, in machine code
#+   make model         the order of lock-free reads, by spin: every interleaving
#+   make bisect-check  every commit of the series builds
#+   make mutants       remove one guard at a time: a test fails; T=name for one
#+   make storm         10 million packets while everything around them changes
#+   make fuzz          random calls, compared between accessors; SEED=1
#+                      CALLS=20000 VMS=1 REPLAY=file
#+   make order         the rules of order and locks over 10 minutes of traffic
#+   make doc-check     run the commands of our pages, compare what they print
#+   make vhostctl-test vhostctl's checker, its pages, and each verb in the VM;
#+                      T=name runs one test, T=help lists them
#+   make mm-causes     provoke every cause of an invalidation, print what it keeps
#+   make guest         boot a guest in the VM, test its net and vsock by each
#+                      accessor
#+   make modules       vhost as modules: parameters, unloading, the vDPA simulator;
#+                      T=name runs one test
#+   make migrate       migrate a guest in the VM, with compression and postcopy, by
#+                      each accessor; ROUNDS=5
#+   make self-compare  20 comparisons of an accessor with itself
#+   make readers       vhostctl's traces, read by trace-cmd of other releases; and
#+                      the same traffic by their perf
#+   make stock-check   the packages on the distribution's kernels, in VMs
#+   make kvm-check     what KVM drops of a guest's memory when its host changes page
#+                      tables, as it was and as it is; MODES=npt MEMORY=64
#+   make hmm-tests     upstream's hmm-tests, on our kernel and on the base
#+   make qemu-check    QEMU's migration tests and ours; T=name, SANITIZE=1
#+   make qemu-peers    migrate to QEMUs of distributions, which lack our patches
#+
#+ Count and measure
#+   make ring-cost     instructions, STAC, LFENCE and locks of a packet
#+   make trace-cost    instructions that tracepoints add to a packet
#+   make mm-cost       instructions that subscribers add to page-table changes
#+   make mm-queues     what mapped rings cost other system calls of the process
#+   make bench-model   the gain of ringmap, by a model of costs; COUNTS=file
#+   make figures       write every figure of our pages from what was measured, print
#+                      them, and say which are of older code
#+   make bench-budget  set bench/budget.json, the limits 'make check' enforces
#+   make qemu-bench    migrations by method, link, round trip and channels, with and
#+                      without multifd-adaptive; 80 minutes; QUICK=1 is a subset
#+
#+ Variables
#+   KERNEL         kernel series (6.12): a directory of patches/, as 7.3
#+   QEMU           version of QEMU (10.0): a directory of qemu/
#+   BASE           tarball of the base (/usr/src/linux-source-6.12.tar.xz)
#+   RINGMAP_CACHE  where everything built is kept (~/.cache/ringmap)
#+   VARIANT        kernel to build: vm (default), modular, debug, kcsan, rt
#+                  (PREEMPT_RT) or off
#+   WORKERS        with selftests and storm: kthread, where vhost's workers are
#+                  threads of the kernel's and not of the owner's
#+   JOBS           processors to use
#+   FORCE=1        drop edits made in the tree

demo:
	$(deps) install build vm tools
	@scripts/demo.sh

check:
	$(deps) install build vm lint tools qemu model deb
	@scripts/check.sh

check-full:
	$(deps) install build vm lint tools qemu model deb
	@scripts/check.sh full

check-rounds:
	$(deps) install build vm lint tools qemu model deb
	@PART=rounds scripts/check.sh full

clean:
	rm -rf out

distclean: clean
	rm -rf "$(RINGMAP_CACHE)"

# The tree, the kernel, the series
.PHONY: tree kernel refresh series bases deb shell lint vhostctl
tree:
	$(deps) check build
	@scripts/compose.sh

kernel:
	$(deps) check build
	@scripts/compose.sh >/dev/null
	@scripts/build.sh

refresh:
	@scripts/refresh.sh

series:
	$(deps) check build
	@scripts/compose.sh >/dev/null
	@scripts/series.sh

bases:
	$(deps) check build
	@scripts/bases.sh $(V)

deb:
	$(deps) install build deb
	@scripts/deb.sh

shell:
	$(deps) check build vm
	@scripts/shell.sh

lint:
	$(deps) check build lint
	@scripts/compose.sh >/dev/null
	@scripts/lint.sh

vhostctl:
	$(deps) check tools
	@$(MAKE) -s -C tools/vhost OUTPUT=$(CURDIR)/out/vhostctl
	@echo $(CURDIR)/out/vhostctl/vhostctl

# Tests
tests := selftests storm fuzz mutants off-proof barriers order mm-causes guest \
	 doc-check vhostctl-test bisect-check hmm-tests stock-check self-compare modules \
	 kvm-check \
	 readers migrate
.PHONY: $(tests) model
script = $@
doc-check: script = docs
vhostctl-test: script = vhostctl
bisect-check: script = bisect
hmm-tests: script = hmm
stock-check: script = stock
$(tests):
	$(deps) check build vm lint tools $(if $(filter stock-check,$@),deb)
	@scripts/compose.sh >/dev/null
	@tests/$(script).sh

model:
	$(deps) check model
	@tests/model.sh

# Counts
.PHONY: bench bench-budget bench-model figures mm-cost mm-queues ring-cost trace-cost
bench:
	$(deps) install build vm tools
	@bench/bench.sh

bench-budget:
	$(deps) check build vm
	@bench/bench.sh set-budget > bench/budget.new
	@mv bench/budget.new bench/budget.json

bench-model:
	$(deps) check build
	@bench/model.sh $(COUNTS)

figures:
	$(deps) check tools
	@bench/figures.py

mm-cost mm-queues ring-cost trace-cost:
	$(deps) check build vm
	@scripts/compose.sh >/dev/null
	@bench/$@.sh

# QEMU
.PHONY: qemu qemu-refresh qemu-check qemu-peers qemu-bench qemu-demo qemu-predict
qemu:
	$(deps) check qemu
	@qemu/source.sh >/dev/null
	@qemu/build.sh

qemu-demo:
	$(deps) install qemu
	@qemu/bench.sh demo

qemu-bench:
	$(deps) check qemu $(if $(QUICK)$(filter-out 7.2,$(QEMU)),,build)
	@qemu/bench.sh

qemu-predict:
	$(deps) check qemu
	@$(MAKE) -s -C qemu/predict OUTPUT=$(CURDIR)/out/predict
	@echo $(CURDIR)/out/predict/predict

qemu-check qemu-refresh:
	$(deps) check qemu
	@$(subst -,/,$@).sh

qemu-peers:
	$(deps) check qemu
	@qemu/source.sh >/dev/null
	@qemu/check-peers.sh
