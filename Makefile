# SPDX-License-Identifier: GPL-2.0
#
# make help lists what there is.

# normal, debug or kcsan: the kernel that is built. User space is built once,
# against the types of the normal one.
CONFIG ?= normal
CLANG ?= clang-19
CLANG_OLD ?= clang-14
LLVM_STRIP ?= $(subst clang,llvm-strip,$(CLANG))
JOBS ?= $(shell nproc)

CC := $(if $(shell command -v ccache),ccache )gcc
# What one clone has compiled, another one finds; debug information names the first. And
# what nobody has compiled is preprocessed once only.
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1
export CCACHE_DEPEND := 1
SRC := $(CURDIR)/build/linux
VMLINUX := build/kernel/vmlinux
IMAGE := arch/x86/boot/bzImage
BTF := $(CURDIR)/build/vmlinux.btf
SELFTESTS := $(CURDIR)/build/selftests
TOOLS := $(CURDIR)/build/tools

FRAGMENTS := configs/arena.config configs/vm.config
# KBUILD source,objects: the kernel; modules: lib/test_bpf.ko, for make compare, and the
# symbols that scripts/testmod.sh links against
KBUILD = $(MAKE) -C $(CURDIR)/$(1) O=$(CURDIR)/$(2) CC="$(CC)" -j$(JOBS) bzImage

# KCSAN watches one access in thousands. So that these are not lost among those of all
# the kernel, and it stays quick, only what the series adds or lives on is watched.
KCSAN := KCSAN_SANITIZE=n $(foreach file,arena arena_fault arena_kmap arena_space \
	arena_stock syscall vmalloc,KCSAN_SANITIZE_$(file).o=y)

.PHONY: all
all: initramfs $(if $(filter-out normal,$(CONFIG)),kernel-$(CONFIG))

.PHONY: help
help:
	@echo 'make                 kernel, selftests, tools and initramfs, in build/'
	@echo 'make CONFIG=debug    the same, and the debug kernel; or CONFIG=kcsan'
	@echo 'make test            every test; the last line counts them'
	@echo 'make test-all        these and what takes hours'
	@echo 'make test-debug      the arena selftests on the debug kernel; or test-kcsan'
	@echo 'make stress          the stress test for SECONDS=N (600), with SEED=N'
	@echo 'make bench           arenas of this kernel against mainline'"'"'s, in instructions'
	@echo 'make guards          takes each guard out of the kernel, and sees its test fail'
	@echo 'make fuzz            FUZZ_COUNT=N random programs and system calls in the guest'
	@echo 'make fuzz-space      the page offset allocator in libFuzzer, FUZZ_SECONDS=N'
	@echo 'make test-each       builds and boots the kernel after each single patch'
	@echo 'make conformance     mainline'"'"'s arena selftests, here, there and on stock 6.1'
	@echo 'make compare         6.1'"'"'s own BPF tests, against tests/stock-results'
	@echo 'make kernel-stock    the kernel without the series, in build/kernel-stock'
	@echo 'make refresh         writes build/linux and edited files to patches/6.1'
	@echo 'make clean           removes what was built, but not the kernel tree'
	@echo 'make distclean       removes build/, and commits in build/linux with it'
	@echo 'make help            this list'
	@echo
	@echo 'LINUX=DIR            base on this kernel source in place of Debian'"'"'s'
	@echo 'CLANG=clang-N        for BPF programs, 19 or newer ($(CLANG))'
	@echo 'CLANG_OLD=clang-N    for BPF programs without address spaces ($(CLANG_OLD))'
	@echo 'JOBS=N               parallel jobs ($(JOBS))'
	@echo
	@echo './vmtest.sh -h       about the virtual machine'

.PHONY: tree
tree:
	@scripts/tree.sh

# The number of steps of a first build, for the progress report.
.PHONY: kernel
kernel: tree
	@scripts/config.sh $(SRC) build/kernel $(FRAGMENTS)
	@scripts/progress.sh kernel $(if $(wildcard $(VMLINUX)),0,1850) \
		$(call KBUILD,build/linux,build/kernel) modules
	@scripts/progress.sh testmod 0 scripts/testmod.sh build/linux build/kernel

.PHONY: kernel-debug kernel-kcsan
kernel-debug kernel-kcsan: kernel-%: tree
	@scripts/config.sh $(SRC) build/$@ $(FRAGMENTS) configs/$*.config
	@scripts/progress.sh $@ $(if $(wildcard build/$@/vmlinux),0,1900) \
		$(call KBUILD,build/linux,build/$@) $(if $(filter %kcsan,$@),$(KCSAN)) modules
	@scripts/progress.sh testmod 0 scripts/testmod.sh build/linux build/$@

# The base without the series, configured alike: to compare with.
.PHONY: kernel-stock
kernel-stock: tree
	@scripts/base.sh
	@scripts/config.sh build/base build/kernel-stock $(FRAGMENTS)
	@scripts/progress.sh kernel-stock \
		$(if $(wildcard build/kernel-stock/vmlinux),0,2100) \
		$(call KBUILD,build/base,build/kernel-stock) modules

# What user space sees of the kernel. It changes less often than the kernel.
.PHONY: btf
btf: kernel
	@objcopy --only-section=.BTF --dump-section .BTF=$(BTF).new \
		$(VMLINUX) $(BTF).elf 2>/dev/null; rm $(BTF).elf
	@if cmp -s $(BTF).new $(BTF); then rm $(BTF).new; else mv $(BTF).new $(BTF); fi

.PHONY: selftests
selftests: btf
	@mkdir -p $(SELFTESTS)
	@scripts/progress.sh selftests 0 \
		$(MAKE) -C $(SRC)/tools/testing/selftests/bpf -j$(JOBS) test_progs \
		$(SELFTESTS)/arena_bench \
		TEST_FILTER=arena OUTPUT=$(SELFTESTS) VMLINUX_BTF=$(BTF) \
		CLANG=$(CLANG) CLANG_OLD=$(CLANG_OLD) LLVM_STRIP=$(LLVM_STRIP)

.PHONY: tools
tools: btf
	@mkdir -p $(TOOLS)
	@scripts/progress.sh tools 0 \
		$(MAKE) -C $(SRC)/tools/bpf/arena -j$(JOBS) \
		OUTPUT=$(TOOLS)/ VMLINUX_BTF=$(BTF) CLANG=$(CLANG) \
		LLVM_STRIP=$(LLVM_STRIP)

.PHONY: initramfs
initramfs: selftests tools
	@scripts/initramfs.sh build/vm/initramfs.cpio $(SELFTESTS)/test_progs \
		$(SELFTESTS)/arena_bench $(SELFTESTS)/*.bpf.o \
		$(SELFTESTS)/tools/sbin/bpftool $(TOOLS)/arena-* $(TOOLS)/cache_test

.PHONY: refresh
refresh:
	@scripts/refresh.sh

# The kernel that is built, mainline's, and stock 6.1.
.PHONY: bench
bench: initramfs kernel-stock
	@scripts/bench.sh build/kernel/$(IMAGE) build/kernel-stock/$(IMAGE)

.PHONY: test
test:
	@tests/run.sh

.PHONY: test-all
test-all:
	@tests/run.sh all

.PHONY: test-debug test-kcsan
test-debug test-kcsan: test-%: initramfs
	@tests/guest.sh $*

# New ones each time, but for FUZZ_SEED=N.
FUZZ_COUNT ?= 100000
FUZZ_SECONDS ?= 600
FUZZ_SEED ?= $(shell date +%s)000000

.PHONY: fuzz
fuzz: initramfs
	VM_MEMORY=$${VM_MEMORY:-4G} VM_TIMEOUT=$${VM_TIMEOUT:-0} scripts/boot.sh build/kernel/$(IMAGE) sh -c \
		'ARENA_FUZZ_SEED=$(FUZZ_SEED) ARENA_FUZZ_COUNT=$(FUZZ_COUNT) test_progs -t arena_fuzz'

# libFuzzer comes with Debian's clang-14, but not with clang-19. The inputs that led
# to new places are kept for the next time, and one that fails is, too.
.PHONY: fuzz-space
fuzz-space:
	@mkdir -p build/fuzz/corpus
	@$(MAKE) -C selftests/bpf/arena_unit fuzz CLANG=$(CLANG_OLD)
	selftests/bpf/arena_unit/fuzz -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
		-artifact_prefix=build/fuzz/ build/fuzz/corpus

# As long as asked. The machine is small, so that its memory can be used up.
SECONDS ?= 600
.PHONY: stress
stress:
	VM_MEMORY=$${VM_MEMORY:-$(if $(filter debug,$(CONFIG)),1G,512M)} \
	VM_TIMEOUT=$${VM_TIMEOUT:-$$((2 * $(SECONDS) + 600))} ./vmtest.sh -c $(CONFIG) -- \
		env ARENA_STRESS_SECONDS=$(SECONDS) ARENA_STRESS_SEED=$(SEED) test_progs -t arena_stress

.PHONY: test-each
test-each: all
	@scripts/test-each.sh

.PHONY: guards
guards: all
	@scripts/guards.sh

# Mainline's own arena selftests, on mainline, stock 6.1 and this kernel; and the
# series' header libraries and tools on mainline.
.PHONY: conformance
conformance: initramfs
	@scripts/conformance.sh
	@scripts/portable.sh

# 6.1's own BPF tests, here and as recorded on stock 6.1.
.PHONY: compare
compare: btf
	@scripts/compare-stock.sh

.PHONY: clean
clean:
	rm -rf $(filter-out build/linux,$(wildcard build/*))

.PHONY: distclean
distclean:
	rm -rf build
