# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# `make help` lists the targets. Everything is built below build/.

VERSION := 0.1.0
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
SBINDIR = $(PREFIX)/sbin
MANDIR = $(PREFIX)/share/man
UNITDIR = $(PREFIX)/lib/systemd/system

CC = gcc
CLANG = clang
BPFTOOL = $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
AR = ar
PKG_CONFIG = pkg-config
PACKAGES = libbpf libelf yaml-0.1 jansson libmnl libpcre2-8 libmicrohttpd libseccomp
TEST_PACKAGES = cmocka

CFLAGS ?= -O2 -g
WARNINGS = -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wshadow -Werror=implicit-function-declaration -Werror=int-conversion -Werror=incompatible-pointer-types
SANITIZE ?=
SANITIZE_FLAGS = $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
# Expanded in recipes only, so that `make deps` and `make help` work before pkg-config is installed.
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -DEG_VERSION='"$(VERSION)"' $(WARNINGS) $(CFLAGS) $(SANITIZE_FLAGS) \
	-Iinclude -Iuser -I$(BUILD) $(shell $(PKG_CONFIG) --cflags $(PACKAGES))
ALL_LDFLAGS = $(LDFLAGS) $(SANITIZE_FLAGS)
LIBS = $(shell $(PKG_CONFIG) --libs $(PACKAGES))
TEST_LIBS = $(shell $(PKG_CONFIG) --libs $(TEST_PACKAGES))
# -mcpu=v3: atomics that return the old value. The multiarch folder has asm/types.h.
BPF_CFLAGS = -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Iinclude -Ibpf \
	-I/usr/include/$(shell $(CC) -print-multiarch)

Q = $(if $(V),,@)
say = $(if $(V),@true,@printf '  %-7s %s\n')

MAINS = user/main.c user/ctl.c
LIB_SRC = $(filter-out $(MAINS),$(sort $(wildcard user/*.c user/*/*.c)))
LIB_OBJ = $(LIB_SRC:%.c=$(BUILD)/%.o)
LIB = $(BUILD)/libegress.a
PROGRAMS = $(BUILD)/egressd $(BUILD)/egressctl
POLICY_PAGE = $(BUILD)/man/egress-policy.5
SKELETONS = $(patsubst %.bpf.c,$(BUILD)/%.skel.h,$(sort $(wildcard bpf/*.bpf.c)))
UNIT_SRC = $(sort $(wildcard tests/unit/test_*.c))
UNIT_TESTS = $(UNIT_SRC:%.c=$(BUILD)/%)
BPF_TEST_SRC = $(sort $(wildcard tests/bpf/test_*.c))
BPF_TESTS = $(BPF_TEST_SRC:%.c=$(BUILD)/%)
BPF_TEST_OBJECTS = $(patsubst %.bpf.c,$(BUILD)/%.bpf.o,$(sort $(wildcard tests/bpf/*.bpf.c tools/*.bpf.c)))
TOOLS = $(patsubst %.c,$(BUILD)/%,$(filter-out %.bpf.c,$(sort $(wildcard tools/*.c tests/lib/*.c)))) $(OTHER)/egressd
OTHER = $(BUILD)/tests/lib/other
LEAK = $(BUILD)/tests/leak/leak
LEAK_OBJ = $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/leak/*.c)))
FUZZERS = $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
TEST_LIB_OBJ = $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/lib/support/*.c)))
C_FILES = $(sort $(wildcard include/*/*.h user/*.[ch] user/*/*.[ch] bpf/*.[ch] tests/*/*.[ch] tests/lib/support/*.[ch] tools/*.[ch] tools/*/*.[ch]))

.DELETE_ON_ERROR:
.PHONY: all deps run demo check check-built check-static analyze check-vm check-vm-built soak soak-built leak-table leak-table-built check-sanitized sanitized-built fuzz fuzzers bench budget clean install uninstall compdb format check-format help FORCE
all: $(PROGRAMS) $(POLICY_PAGE) ## build egressd, egressctl and egress-policy(5) (default)

# What was built with other flags is built again.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(CC) $(ALL_CFLAGS) | $(ALL_LDFLAGS) $(LIBS) | $(CLANG) $(BPF_CFLAGS))' >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(BUILD)/%.bpf.o: %.bpf.c $(BUILD)/flags
	$(say) BPF $@
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MT $@ -MF $(@:.o=.d) -c $< -o $@

$(SKELETONS): $(BUILD)/bpf/%.skel.h: $(BUILD)/bpf/%.bpf.o
	$(say) SKEL $@
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf >$@

$(BUILD)/%.o: %.c $(BUILD)/flags
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

# Only this folder, and a tool that measures it, may include the skeletons, so only these objects wait for them.
$(patsubst %.c,$(BUILD)/%.o,$(wildcard user/datapath/*.c)) $(BUILD)/tools/verifier_cost.o: | $(SKELETONS)

$(LIB): $(LIB_OBJ)
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/egressd: $(BUILD)/user/main.o $(LIB)
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(LIBS) -o $@

# The daemon with the same BPF programs compiled another way: what the next build of a package is to the one that runs.
# The library's objects that carry the programs give way to these.
OTHER_OBJ = $(patsubst %.c,$(OTHER)/%.o,$(wildcard user/datapath/*.c))
$(OTHER)/%.bpf.o: %.bpf.c $(BUILD)/flags
	$(say) BPF $@
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -Os -MMD -MP -MT $@ -MF $(@:.o=.d) -c $< -o $@
$(SKELETONS:$(BUILD)/%=$(OTHER)/%): $(OTHER)/bpf/%.skel.h: $(OTHER)/bpf/%.bpf.o
	$(say) SKEL $@
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf >$@
$(OTHER_OBJ): $(OTHER)/%.o: %.c $(BUILD)/flags | $(SKELETONS:$(BUILD)/%=$(OTHER)/%)
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) -I$(OTHER) $(ALL_CFLAGS) -MMD -MP -c $< -o $@
$(OTHER)/egressd: $(BUILD)/user/main.o $(OTHER_OBJ) $(LIB)
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(LIBS) -o $@

$(BUILD)/egressctl: $(BUILD)/user/ctl.o $(LIB)
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(LIBS) -o $@

$(UNIT_TESTS) $(BPF_TESTS) $(filter-out $(OTHER)/%,$(TOOLS)): $(BUILD)/%: $(BUILD)/%.o $(TEST_LIB_OBJ) $(LIB)
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(TEST_LIBS) $(LIBS) -o $@

$(LEAK): $(LEAK_OBJ) $(TEST_LIB_OBJ) $(LIB)
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(TEST_LIBS) $(LIBS) -o $@

# Each reads the files that it is given, or is driven by libFuzzer (LIBFUZZER=1, by clang alone).
$(FUZZERS): $(BUILD)/%: $(BUILD)/%.o $(if $(LIBFUZZER),,$(BUILD)/tests/fuzz/main.o) $(TEST_LIB_OBJ) $(LIB)
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) $(if $(LIBFUZZER),-fsanitize=fuzzer) $^ $(TEST_LIBS) $(LIBS) -o $@

$(BUILD)/tools/man/policy_page: $(BUILD)/tools/man/policy_page.o $(LIB)
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(LIBS) -o $@

# What documents are read by, and prose around it.
$(POLICY_PAGE): user/man/egress-policy.5.in $(wildcard user/man/examples/*.yaml) $(BUILD)/tools/man/policy_page
	$(say) MAN $@
	@mkdir -p $(@D)
	$(Q)$(BUILD)/tools/man/policy_page $< user/man/examples >$@

deps: ## install what building and testing need (apt, as root); nothing to do when all is there
	@tools/deps

run: deps ## show the main job: a mesh service, the internet, and the switch between them
	@$(MAKE) --no-print-directory demo
demo: all
	@tools/demo

check: deps ## build and run all tests
	@$(MAKE) --no-print-directory check-built
check-built: all $(UNIT_TESTS) $(BPF_TESTS) $(BPF_TEST_OBJECTS) $(TOOLS) $(LEAK) $(FUZZERS) check-static
	@tests/lib/run-all

check-vm: deps ## BPF and socket tests on Linux 6.1, 6.12 and 5.10, under QEMU (KERNEL=6.1 for one)
	@tools/deps vm
	@$(MAKE) --no-print-directory check-vm-built
check-vm-built: all $(BPF_TESTS) $(BPF_TEST_OBJECTS) $(TOOLS) $(LEAK)
	@vmtest/run $(KERNEL)

SOAK_SECONDS ?= 3600
soak: deps ## let the daemon run under all sorts of load for SOAK_SECONDS (3600), and say whether it grew
	@$(MAKE) --no-print-directory soak-built
soak-built: all $(TOOLS)
	@SOAK_SECONDS=$(SOAK_SECONDS) EG_BUILD='$(CURDIR)/$(BUILD)' tests/lib/run-test tests/e2e/soak.bats

budget: all $(LEAK) $(BPF_TEST_OBJECTS) $(TOOLS) ## record what each program costs the verifier: of this kernel, and of those of check-vm
	@tools/deps vm
	@tools/budget write
	@for version in 6.1 6.12; do \
		VMT_TESTS=tests/e2e/budget.bats vmtest/run $$version || echo "budget: $$version: as above, recorded now"; \
		tools/budget take $$version || exit 1; \
	done
	@git --no-pager diff --stat vmtest/budget

# A run that differs from what was kept fails; what it has seen is kept all the same.
leak-table: deps ## try every way out of a workload, here and on Linux 6.1 and 6.12, and write README's table
	@tools/deps vm
	@$(MAKE) --no-print-directory leak-table-built
leak-table-built: all $(LEAK) $(TOOLS) $(BPF_TESTS) $(BPF_TEST_OBJECTS)
	@tests/leak/run >$(BUILD)/leak.tap; tests/leak/table keep "$$(uname -r | cut -d . -f 1-2)" <$(BUILD)/leak.tap
	@VMT_TESTS=tests/leak/run vmtest/run 6.1 6.12; for version in 6.1 6.12; do \
		tests/leak/table keep $$version <$(BUILD)/vm/$$version/tap || exit; done
	@tests/leak/table write

# Real connections too, of one command and of the daemon. What the daemon leaks at its end is not looked for:
# that takes system calls which it has given up by then.
SANITIZED = $(BUILD)/sanitized
check-sanitized: deps ## units, the command line, one command and the daemon, under address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory BUILD=$(SANITIZED) SANITIZE=address,undefined sanitized-built
	@EG_BUILD=$(abspath $(SANITIZED)) tests/lib/run-all $(UNIT_TESTS:$(BUILD)/%=$(SANITIZED)/%) \
		tests/fuzz/replay tests/cli/*.bats tests/e2e/command.bats tests/e2e/policy.bats
	@EG_BUILD=$(abspath $(SANITIZED)) ASAN_OPTIONS=detect_leaks=0 tests/lib/run-all tests/e2e/daemon.bats
sanitized-built: all $(UNIT_TESTS) $(BPF_TEST_OBJECTS) $(TOOLS) $(FUZZERS)

FUZZ_SECONDS ?= 60
fuzz: deps ## look for inputs that break the policy language, FUZZ_SECONDS (60) for each target
	@tools/deps fuzz
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=$(CLANG) SANITIZE=address,undefined,fuzzer-no-link \
		LIBFUZZER=1 fuzzers
	@BUILD=$(BUILD)/fuzz tests/fuzz/run $(FUZZ_SECONDS)
fuzzers: $(FUZZERS)

check-static: $(SKELETONS) ## header self-containment and the layers of the tree
	@CC='$(CC)' BUILD='$(BUILD)' tools/check-layers

analyze: all ## what cppcheck and GCC's analyzer find in the programs
	@tools/analyze

bench: all $(BPF_TEST_OBJECTS) $(TOOLS) ## cost of a connect with and without egressd, in pairs
	@tools/bench

# user/man/egressctl.8 goes to man8, and so on.
MAN_PAGES = $(wildcard user/man/*.[1-9]) $(POLICY_PAGE)
man_target = $(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(1)))/$(notdir $(1))
UNITS = $(wildcard user/systemd/*.service)
unit_target = $(DESTDIR)$(UNITDIR)/$(notdir $(1))

install: all ## install below DESTDIR and PREFIX
	install -d $(DESTDIR)$(SBINDIR)
	install -m 0755 $(PROGRAMS) $(DESTDIR)$(SBINDIR)
	$(foreach page,$(MAN_PAGES),install -D -m 0644 $(page) $(call man_target,$(page)) &&) true
	install -d $(DESTDIR)$(UNITDIR)
	$(foreach unit,$(UNITS),sed 's|@SBINDIR@|$(SBINDIR)|' $(unit) >$(call unit_target,$(unit)) && \
		chmod 0644 $(call unit_target,$(unit)) &&) true

uninstall: ## remove what install put there
	rm -f $(patsubst %,$(DESTDIR)$(SBINDIR)/%,$(notdir $(PROGRAMS)))
	rm -f $(foreach page,$(MAN_PAGES),$(call man_target,$(page)))
	rm -f $(foreach unit,$(UNITS),$(call unit_target,$(unit)))

compdb: $(SKELETONS) ## write compile_commands.json for editors and clang-tidy
	@{ echo '['; sep=; for f in $(MAINS) $(LIB_SRC) $(UNIT_SRC) $(BPF_TEST_SRC); do \
		printf '%s{"directory": "%s", "file": "%s", "command": "%s"}' "$$sep" '$(CURDIR)' $$f \
		'$(subst ",\\\",$(subst ','\'',$(CC) $(ALL_CFLAGS)))'" -c $$f"; sep=$$(printf ',\n '); done; echo; echo ']'; } >compile_commands.json
	@echo compile_commands.json

format: ## clang-format all C files
	clang-format -i $(C_FILES)
check-format:
	clang-format --dry-run -Werror $(C_FILES)

clean: ## remove build/
	rm -rf $(BUILD) compile_commands.json

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo '  V=1 shows commands; SANITIZE=address,undefined; CFLAGS, PREFIX, DESTDIR, BUILD as usual'

-include $(shell test -d $(BUILD) && find $(BUILD) -type f -name '*.d')
