# The whole build, not recursive in structure: this is the only Makefile. `make help` lists targets.
#
# Results lie in build/MODE, one folder per way of compiling: release, address-undefined, thread,
# valgrind, fuzz. One run of make works in one mode; `check` and `fuzz` call make again for theirs.
# What is generated lies in build/gen and is the same for all of them.
# Sources are found by wildcard: a new .c file in a room needs no line here.

CC := gcc
AR := ar
SHELL := /bin/bash
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all demo test test-clients check sim soak plant fuzz fuzz-programs bench bench-deps tidy \
  format clean help set-up probe live-check

# All processors, unless -j says otherwise.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 1)
endif

# ---- modes ----------------------------------------------------------------------------------

comma := ,
SAN ?=
MODE := $(if $(SAN),$(subst $(comma),-,$(SAN)),release)
B := build/$(MODE)
GEN := build/gen

MODE_release := -O2
MODE_address-undefined := -O1 -DTRP_DEBUG -fsanitize=address,undefined -fno-sanitize-recover=all
MODE_thread := -O1 -DTRP_DEBUG -fsanitize=thread
MODE_valgrind := -O1 -DTRP_DEBUG
MODE_fuzz := -O1 -DTRP_DEBUG -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
ifndef MODE_$(MODE)
$(error SAN is one of address,undefined | thread | valgrind, not '$(SAN)')
endif

# gcc's warnings are the law; under clang (fuzz alone) they are only told.
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla -Wstrict-prototypes \
  -Wmissing-prototypes -Werror $(if $(filter fuzz,$(MODE)),-Wno-error)
BARE := -std=c17 -D_GNU_SOURCE $(MODE_$(MODE)) -g -fno-omit-frame-pointer -pthread -I. -I$(GEN)
FLAGS = $(BARE) $(WARNINGS)
LINK := $(filter-out -O% -D%,$(MODE_$(MODE))) -pthread

# Asked only when the first compiler or linker line needs it, so that set-up may come before, and
# asked once. Debian ships no nng.pc; later Debians call msgpack's package msgpack-c.
PACKAGES = libwebsockets libcares libssl libcrypto libprotobuf-c \
  $(if $(shell pkg-config --exists msgpack-c && echo y),msgpack-c,msgpack)
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(PACKAGES); \
  pkg-config --cflags nng 2>/dev/null))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $$(shell pkg-config --libs nng 2>/dev/null || echo -lnng; \
  pkg-config --libs $(PACKAGES)))$(PKG_LIBS)
LIBS = $(PKG_LIBS) -lm

# ---- what there is --------------------------------------------------------------------------

LIB_SRC := $(wildcard proto/*.c runtime/*.c actors/*.c adapters/*.c)
CLI_SRC := $(wildcard adapters/cli/*.c)
GEN_SRC := $(patsubst %.proto,$(GEN)/%.pb-c.c,$(wildcard adapters/*.proto))
TEST_DIRS := test/unit test/conformance test/explore test/story test/system
TEST_SRC := $(wildcard $(TEST_DIRS:%=%/*_test.c))
HELP_SRC := $(filter-out %_test.c,$(wildcard test/support/*.c $(TEST_DIRS:%=%/*.c)))
SOAK_SRC := $(wildcard test/soak/*.c)
FUZZ_SRC := $(wildcard test/fuzz/*_fuzz.c)
EXAMPLE_SRC := $(wildcard test/examples/*.c)
HARNESS_SRC := $(wildcard bench/harness*.c)
BENCH_SRC := $(filter-out $(HARNESS_SRC),$(wildcard bench/*.c))
REPLAY_SRC := test/tools/replay.c

objects = $(patsubst %.c,$(B)/%.o,$(1:build/%=%))
programs = $(patsubst %.c,$(B)/%,$1)
LIB := $(B)/libtroupe.a
CLI := $(B)/libcli.a
TROUPE := $(B)/troupe
TESTS := $(call programs,$(TEST_SRC))
SOAKS := $(call programs,$(SOAK_SRC))
FUZZERS := $(call programs,$(FUZZ_SRC))
EXAMPLES := $(call programs,$(EXAMPLE_SRC))
BENCHES := $(call programs,$(BENCH_SRC))
HARNESS := $(B)/bench/harness
HARNESS_LIB := $(B)/bench/libharness.a
STORMS := $(foreach p,$(TESTS),$(if $(findstring storm,$(notdir $p)),$p))
CHECKS := test/tools/check-readme test/tools/check-layers test/tools/check-waits \
  test/tools/check-cxx
OBJECTS := $(call objects,$(LIB_SRC) $(GEN_SRC) $(CLI_SRC) $(TEST_SRC) $(HELP_SRC) $(SOAK_SRC) \
  $(FUZZ_SRC) $(EXAMPLE_SRC) $(BENCH_SRC) $(HARNESS_SRC) $(REPLAY_SRC))

all: $(LIB) $(TROUPE) ## build/release/libtroupe.a and build/release/troupe

# ---- set-up ---------------------------------------------------------------------------------

# These goals install what is missing before the first compilation; the others only name it.
GOALS := $(or $(MAKECMDGOALS),all)
INSTALLERS := demo test check sim soak fuzz bench tidy set-up
NEEDS := build $(if $(filter test check sim soak set-up,$(GOALS)),test) \
  $(if $(filter check,$(GOALS)),$(filter valgrind,$(or $(SAN),valgrind))) \
  $(filter fuzz tidy,$(GOALS))
READY := $(if $(filter $(INSTALLERS),$(GOALS)),set-up,probe)

set-up: $(filter clean,$(GOALS)) ## install what demo, test and the others need (they do so themselves)
	@CC='$(CC)' test/tools/set-up --install $(NEEDS)

probe: $(filter clean,$(GOALS))
	@CC='$(CC)' test/tools/set-up $(NEEDS)

# ---- rules ----------------------------------------------------------------------------------

# Before the first compilation nobody knows yet who includes what is generated: it comes first.
$(B)/%.o: %.c Makefile | $(READY) $(GEN_SRC)
	@mkdir -p $(@D)
	@echo "  compile $(MODE) $<"
	@$(CC) $(FLAGS) $(CFLAGS) $(PKG_CFLAGS) -MMD -MP -c -o $@ $<

$(GEN)/%.pb-c.c $(GEN)/%.pb-c.h: %.proto | $(READY)
	@mkdir -p $(GEN)
	@echo "  generate $@"
	@protoc-c --c_out=$(GEN) $<

# Not our code, so not under our warnings.
$(B)/gen/%.o: $(GEN)/%.c Makefile | $(READY)
	@mkdir -p $(@D)
	@echo "  compile $(MODE) $<"
	@$(CC) $(BARE) -w $(CFLAGS) $(PKG_CFLAGS) -MMD -MP -c -o $@ $<

# q, not r: two rooms may have a file of the same name.
define archive
@rm -f $@ && mkdir -p $(@D) && $(AR) qcs $@ $^
endef
define link
@echo "  link    $@"
@$(CC) $(LINK) $(LDFLAGS) -o $@ $(filter %.o,$^) $1 $(LIBS)
endef

$(LIB): $(call objects,$(LIB_SRC) $(GEN_SRC)) | $(READY)
	$(archive)
$(CLI): $(call objects,$(filter-out %/main.c,$(CLI_SRC))) | $(READY)
	$(archive)
$(TROUPE): $(call objects,$(filter %/main.c,$(CLI_SRC))) $(CLI) $(LIB)
	$(call link,$(CLI) $(LIB))

# What the tests of a folder share, each folder for itself; test/support is for all of them. They
# come before the library: a unit test's own clock or notify takes the place of the real one.
define helpers
$(B)/$1/libhelp.a: $(filter $(B)/$1/%,$(call objects,$(HELP_SRC))) | $(READY)
	$$(archive)
$(filter $(B)/$1/%,$(TESTS)): $(B)/$1/libhelp.a
endef
$(foreach folder,test/support $(TEST_DIRS),$(eval $(call helpers,$(folder))))
SUPPORT := $(B)/test/support/libhelp.a

$(HARNESS_LIB): $(call objects,$(filter-out %/harness.c,$(HARNESS_SRC))) | $(READY)
	$(archive)
$(HARNESS): $(B)/bench/harness.o $(HARNESS_LIB) $(LIB)
	$(call link,$(HARNESS_LIB) $(LIB))

$(TESTS): $(B)/%: $(B)/%.o $(SUPPORT) $(HARNESS_LIB) $(CLI) $(LIB)
	$(call link,$(@D)/libhelp.a $(SUPPORT) $(HARNESS_LIB) $(CLI) $(LIB) -lcmocka)
# This one fails the library's calls of these functions, see test/conformance/fault_sweep.h.
SWEPT := malloc calloc realloc aligned_alloc strdup free pthread_create eventfd socket listen bind \
  epoll_create1 open mmap memfd_create socketpair pidfd_open posix_spawn
$(B)/test/conformance/fault_sweep_test: LDFLAGS += $(SWEPT:%=-Wl,--wrap=%)
$(SOAKS): $(B)/%: $(B)/%.o $(SUPPORT) $(CLI) $(LIB)
	$(call link,$(SUPPORT) $(CLI) $(LIB) -lcmocka)
$(EXAMPLES) $(BENCHES): $(B)/%: $(B)/%.o $(LIB)
	$(call link,$(LIB))
# Under MODE=fuzz libFuzzer drives the fuzzer; elsewhere a small driver replays a few inputs.
$(FUZZERS): $(B)/%: $(B)/%.o $(if $(filter fuzz,$(MODE)),,$(call objects,$(REPLAY_SRC))) $(LIB)
	$(call link,$(LIB) $(if $(filter fuzz,$(MODE)),-fsanitize=fuzzer))

-include $(wildcard $(OBJECTS:.o=.d))

# ---- demo and tests -------------------------------------------------------------------------

demo: $(TROUPE) ## watch quotes flow from the embedded exchange (ARGS='--duration 30')
	@$(TROUPE) demo $(ARGS)

live-check: $(TROUPE) ## try the real exchanges' public endpoints (ARGS='--exchange mexc')
	@$(TROUPE) live-check $(ARGS)

RUN := test/tools/run-tests $(MODE)

test: $(TESTS) $(FUZZERS) $(EXAMPLES) $(TROUPE) $(HARNESS) $(B)/bench/count ## build and run every test
	@$(RUN) $(TESTS) $(EXAMPLES) $(FUZZERS) $(CHECKS)

ifneq ($(SAN),)
check: test ## the tests under SAN=address,undefined | thread | valgrind, or under all three
else
check: | $(READY)
	@status=0; for san in address,undefined thread valgrind; do \
	  echo "== $$san"; $(MAKE) --no-print-directory test SAN=$$san || status=1; \
	done; exit $$status
endif

sim: $(STORMS) ## the simulated storms under one seed (SEED=n, or a fresh one)
	@seed=$(or $(SEED),$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')); echo "SEED=$$seed"; \
	TRP_SEED=$$seed $(RUN) $(STORMS)

soak: $(SOAKS) $(STORMS) $(TROUPE) ## what takes too long for every run (STORM_SEEDS=100000)
	@TIME_LIMIT=7200 TRP_SEEDS=$(STORM_SEEDS) $(RUN) $(SOAKS) $(STORMS)
	@$(MAKE) --no-print-directory plant

STORM_SEEDS ?= 100000

PLANTS ?= $(sort $(wildcard test/plants/*.plant))

plant: $(filter $(B)/test/story/% $(B)/test/explore/%,$(TESTS)) ## plants bugs in a copy, one by one, and shows which test finds each (PLANTS=...)
	@MODE=$(MODE) CC="$(CC)" MAKE="$(MAKE)" test/tools/plant $(PLANTS)

test-clients: $(TROUPE) ## ccxt against the embedded exchange (needs node and npm; not in test)
	@test/tools/run-clients $(TROUPE)

# ---- fuzzing --------------------------------------------------------------------------------

RUNS ?= 1000000

fuzz: | $(READY) ## each fuzzer for RUNS=1000000 inputs, under clang's libFuzzer
	@$(MAKE) --no-print-directory fuzz-programs MODE=fuzz CC=clang
	@test/tools/run-fuzz $(RUNS) $(patsubst %.c,build/fuzz/%,$(FUZZ_SRC))

fuzz-programs: $(FUZZERS)

# ---- measuring and tidying ------------------------------------------------------------------

bench: $(BENCHES) $(HARNESS) $(TROUPE) ## ours beside the peers' (BENCH=pingpong,ring PEERS=go,erlang ROUNDS=5)
	@TROUPE=$(TROUPE) $(HARNESS) --bench '$(BENCH)' --peers '$(PEERS)' --rounds '$(ROUNDS)' \
	  --cores '$(CORES)' --set '$(SET)'

bench-deps: ## install the peers that Debian has
	@CC='$(CC)' test/tools/set-up --install peers

tidy: $(LIB) | $(READY) ## layers, names, sizes, words, clang-format, cppcheck
	@test/tools/tidy $(LIB)

format: ## lay out every source as .clang-format says
	@git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format -i

clean: ## forget every result
	@rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20
