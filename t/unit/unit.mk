# Unit tests of src/lib: every t/unit/*_test.c is a TAP program, every
# t/unit/*.t a test of its own that asks build/unit/dump.  All of it under
# AddressSanitizer and UndefinedBehaviorSanitizer.

BUILD ?= build

UNIT = $(BUILD)/unit

UNIT_CFLAGS = -std=gnu11 -O1 -g -Wall -Wextra -Werror -Wshadow \
    -fsanitize=address,undefined -fno-sanitize-recover=all \
    -fno-omit-frame-pointer -Isrc/lib -It/unit -MMD -MP

UNIT_LIBS = -lyajl -lm

UNIT_SOURCES = $(wildcard src/lib/*.c)
UNIT_OBJECTS = $(UNIT_SOURCES:src/lib/%.c=$(UNIT)/lib/%.o)
UNIT_PROGRAMS = $(patsubst t/unit/%.c,$(UNIT)/%,$(wildcard t/unit/*_test.c))
UNIT_SCRIPTS = $(wildcard t/unit/*.t)

export ASAN_OPTIONS ?= detect_stack_use_after_return=1:strict_string_checks=1

.PHONY: unit unit-build

unit: unit-build
	@CORR_DUMP=$(UNIT)/dump prove -e '' $(UNIT_PROGRAMS) $(UNIT_SCRIPTS)

unit-build: $(UNIT_PROGRAMS) $(UNIT)/dump

$(UNIT)/lib/%.o: src/lib/%.c
	@mkdir -p $(@D)
	@$(CC) $(UNIT_CFLAGS) -c -o $@ $<

# made anew, so that a source that is gone is gone from it too
$(UNIT)/lib.a: $(UNIT_OBJECTS)
	@rm -f $@
	@ar rc $@ $^

$(UNIT)/%: t/unit/%.c $(UNIT)/lib.a
	@mkdir -p $(@D)
	@$(CC) $(UNIT_CFLAGS) -o $@ $< $(UNIT)/lib.a $(UNIT_LIBS)

-include $(wildcard $(UNIT)/*.d $(UNIT)/lib/*.d)
