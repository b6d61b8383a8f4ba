# The services that know no nginx: their tool, and their unit tests (TAP
# programs in t/unit/services under AddressSanitizer, with t/unit/unit.mk).

SERVICES_PURE = secrets passwords captcha totp filetype store qr
SERVICES_LIBS = -lsodium -lgd -lmagic -lqrencode -lcrypto -lm

$(BUILD)/corr-staff: src/tools/corr-staff.c src/services/secrets.c \
    src/services/passwords.c src/services/totp.c $(BUILD)/libcorrespondence.a
	@$(CC) $(CORR_CFLAGS) -Werror -MF $(BUILD)/corr-staff.d $(CORR_LDFLAGS) \
	    -o $@ $(filter %.c %.a,$^) -lsodium -lcrypto

# compares rows and store; sql/fsck runs it
$(BUILD)/corr-fsck: src/tools/corr-fsck.c src/services/store.c \
    src/services/filetype.c src/services/secrets.c \
    $(BUILD)/libcorrespondence.a
	@$(CC) $(CORR_CFLAGS) -Werror -MF $(BUILD)/corr-fsck.d $(CORR_LDFLAGS) \
	    -o $@ $(filter %.c %.a,$^) -lsodium -lmagic -lcrypto

# tests that answer captchas
$(BUILD)/corr-captcha: t/tools/corr-captcha.c src/services/secrets.c \
    src/services/captcha.c $(BUILD)/libcorrespondence.a
	@$(CC) $(CORR_CFLAGS) -Werror -MF $(BUILD)/corr-captcha.d \
	    $(CORR_LDFLAGS) -o $@ $(filter %.c %.a,$^) -lsodium -lgd -lm

# calls of a worker that fail when a test says so; two tests may ask for it
# at once
$(BUILD)/faults.so: t/tools/faults.c src/services/services.mk
	@$(CC) -std=gnu11 -O1 -g -fno-omit-frame-pointer -Wall -Wextra -Wshadow \
	    -Werror -fPIC -shared -o $@.$$PPID $< && mv $@.$$PPID $@

SERVICES_UNIT = $(BUILD)/unit-services
SERVICES_OBJECTS = $(SERVICES_PURE:%=$(SERVICES_UNIT)/%.o)
SERVICES_PROGRAMS = $(patsubst t/unit/services/%.c,$(SERVICES_UNIT)/%, \
    $(wildcard t/unit/services/*_test.c))

# unit.mk proves these along with its own
UNIT_PROGRAMS += $(SERVICES_PROGRAMS)
unit-build: $(SERVICES_PROGRAMS) $(BUILD)/corr-staff
unit: export CORR_STAFF = $(BUILD)/corr-staff
unit: export CORR_QR_TEST = $(SERVICES_UNIT)/qr_test
unit: export CORR_CAPTCHA_TEST = $(SERVICES_UNIT)/captcha_test
UNIT_SCRIPTS += $(wildcard t/unit/services/*.t)

$(SERVICES_UNIT)/%.o: src/services/%.c
	@mkdir -p $(@D)
	@$(CC) $(UNIT_CFLAGS) -Isrc -c -o $@ $<

$(SERVICES_UNIT)/%_test: t/unit/services/%_test.c $(SERVICES_OBJECTS) \
    $(UNIT)/lib.a
	@mkdir -p $(@D)
	@$(CC) $(UNIT_CFLAGS) -Isrc -pthread -o $@ $< $(SERVICES_OBJECTS) \
	    $(UNIT)/lib.a $(SERVICES_LIBS)

-include $(wildcard $(SERVICES_UNIT)/*.d $(BUILD)/corr-staff.d \
    $(BUILD)/corr-fsck.d \
    $(BUILD)/corr-captcha.d)

# every system call of the store can be failed by its test
$(SERVICES_UNIT)/store_test: UNIT_CFLAGS += \
    -Wl,--wrap=write,--wrap=open,--wrap=fsync,--wrap=rename,--wrap=mkdir \
    -Wl,--wrap=futimens,--wrap=flock
