# Fuzzing with clang's libFuzzer: every t/fuzz/NAME_fuzz.c is a
# target, t/fuzz/corpus/NAME its seeds.  What libFuzzer finds new goes to
# $(BUILD)/fuzz/NAME.corpus, what fails to $(BUILD)/fuzz/NAME-*.
#
#   make fuzz-short                 about 5 seconds of each: part of the tests
#   make fuzz FUZZ_SECONDS=3600     an hour of a processor for each
#   make fuzz-keep                  what was found, as far as it reaches other
#                                   code, to t/fuzz/grown.tar.gz: the next run
#                                   goes on there
#
# FUZZ_JOBS (1) targets run at a time.

BUILD ?= build

FUZZ = $(BUILD)/fuzz
FUZZ_CC ?= clang
FUZZ_SECONDS ?= 60
FUZZ_JOBS ?= 1

FUZZ_CFLAGS = -std=gnu11 -O1 -g -Wall -Wextra -Werror -Wshadow \
    -fsanitize=address,undefined -fno-sanitize-recover=all \
    -fno-omit-frame-pointer -Isrc/lib -It/unit -It/fuzz -MMD -MP

FUZZ_OBJECTS = $(patsubst src/lib/%.c,$(FUZZ)/lib/%.o,$(wildcard src/lib/*.c))
FUZZ_NAMES = $(patsubst t/fuzz/%_fuzz.c,%,$(wildcard t/fuzz/*_fuzz.c))
FUZZ_PROGRAMS = $(FUZZ_NAMES:%=$(FUZZ)/%_fuzz)

.PHONY: fuzz fuzz-short fuzz-keep fuzz-build

fuzz: fuzz-build
	@t/fuzz/run $(FUZZ) $(FUZZ_SECONDS) $(FUZZ_JOBS) $(FUZZ_NAMES)

fuzz-short: fuzz-build
	@t/fuzz/run $(FUZZ) 5 $(FUZZ_JOBS) $(FUZZ_NAMES)

fuzz-keep: fuzz-build
	@t/fuzz/keep $(FUZZ) $(FUZZ_NAMES)

fuzz-build: $(FUZZ_PROGRAMS)

$(FUZZ)/lib/%.o: src/lib/%.c
	@mkdir -p $(@D)
	@$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<

$(FUZZ)/lib.a: $(FUZZ_OBJECTS)
	@rm -f $@
	@ar rc $@ $^

$(FUZZ)/%_fuzz: t/fuzz/%_fuzz.c $(FUZZ)/lib.a
	@mkdir -p $(@D)
	@$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $< $(FUZZ)/lib.a \
	    -lyajl -lm

# one service: what a file is.  Its buffer is small, its libmagic the target's

$(FUZZ)/filetype.o: src/services/filetype.c
	@mkdir -p $(@D)
	@$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -Isrc \
	    -DCORR_FILE_BUFFER=1024 -c -o $@ $<

$(FUZZ)/filetype_fuzz: t/fuzz/filetype_fuzz.c $(FUZZ)/filetype.o \
    $(FUZZ)/lib.a
	@$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer -Isrc -o $@ $< \
	    $(FUZZ)/filetype.o $(FUZZ)/lib.a -lyajl -lm

-include $(wildcard $(FUZZ)/*.d $(FUZZ)/lib/*.d)
