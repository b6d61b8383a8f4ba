# Everything anyone needs:
#
#   make run          installs, builds and starts it all; Ctrl-C stops it
#   make start, stop  the same in the background
#   make clean-run    throws the data of "make run" away
#   make              builds build/ngx_http_correspondence_module.so
#   make install      puts it, its programs, sql/ and html/ below DESTDIR PREFIX
#   make test         everything that can be tested (make unit, make lint: parts)
#   make bench, torture, assets, clean
#
# Variables of run and start: PORT GATEWAY_PORT RUN_DIR WORKERS CAPTCHA;
# of install: DESTDIR PREFIX MODULES (the directory of nginx's modules).

TOP = $(CURDIR)
BUILD = build
MODULE = ngx_http_correspondence_module

# Debian's nginx-dev: nginx's headers and its configure
NGINX_DEV = /usr/share/nginx/src

PORT ?= 8080
GATEWAY_PORT ?= 8090
RUN_DIR ?= run
CAPTCHA ?= on
WORKERS ?=
export PORT GATEWAY_PORT RUN_DIR WORKERS CAPTCHA

# whatever the locale is, programs speak to each other in this one
export LC_ALL = C.UTF-8

# a prefix of paths in debug information would only tell where it was built
CORR_CFLAGS = -std=gnu11 -O2 -g -Wall -Wextra -Wshadow \
    -ffile-prefix-map=$(TOP)=. -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
    -fPIC -MMD -MP
CORR_LDFLAGS = -Wl,-z,relro -Wl,-z,now

# two processes at once, unless make was asked for something else
JOBS ?= 2
NESTED = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS))

.PHONY: all module build-module gen run start stop clean-run packages install test unit fuzz lint \
    bench assets clean torture asan build-asan

.DEFAULT_GOAL = all

all: module $(BUILD)/corr-render $(BUILD)/corr-staff $(BUILD)/corr-fsck


# The tables from sql/ and html/; files change only when their text does.

gen:
	@perl dev/names .


# nginx's configure wants a tree it may write to; its sources (here: headers)
# stay where Debian has them.  It runs again when a source file came or went,
# when this tree moved, or when nginx-dev or config changed.  One build at a
# time: two would write the same files.

NGX = $(BUILD)/nginx

module:
	@mkdir -p $(NGX)
	@flock $(NGX) $(MAKE) -s build-module

build-module: gen
	@dev/configure-module $(NGX) $(NGINX_DEV) "$(CORR_CFLAGS)" "$(CORR_LDFLAGS)"
	@$(MAKE) -s $(NESTED) -C $(NGX) -f Makefile.module modules
	@! nm -u $(NGX)/objs/$(MODULE).so | grep ' corr_' \
	    || { echo "declared and used, but defined nowhere" >&2; exit 1; }
	@cmp -s $(NGX)/objs/$(MODULE).so $(BUILD)/$(MODULE).so \
	    || { cp $(NGX)/objs/$(MODULE).so $(BUILD)/$(MODULE).so.new \
	         && mv $(BUILD)/$(MODULE).so.new $(BUILD)/$(MODULE).so \
	         && echo "built $(BUILD)/$(MODULE).so"; }


# What a run needs that is not there yet: Debian packages.

packages:
	@dev/install

run: packages
	@$(MAKE) -s all
	@exec dev/portal run

start: packages
	@$(MAKE) -s all
	@dev/portal start

stop:
	@dev/portal stop

clean-run:
	@dev/portal clean


# For a server of the body's: see "Putting it into service" in the README.

DESTDIR ?=
PREFIX ?= /usr
MODULES ?= $(PREFIX)/lib/nginx/modules
export DESTDIR PREFIX MODULES

install: all
	@dev/place $(BUILD)


# Tests.  unit and fuzz get their programs from the fragments below.

test:
	@t/run

unit fuzz:

lint:
	@dev/lint

bench:
	@dev/install bench
	@$(MAKE) -s all
	@bench/run

torture: all
	@t/torture/run

assets:
	@dev/assets

# nginx with AddressSanitizer and the module with it, for tests.

asan:
	@mkdir -p $(BUILD)/asan
	@flock $(BUILD)/asan $(MAKE) -s build-asan

build-asan: gen
	@dev/configure-asan $(BUILD)/asan
	@$(MAKE) -s $(NESTED) -C $(BUILD)/asan/src -f Makefile.asan binary modules
	@cp -u $(BUILD)/asan/src/objs/nginx $(BUILD)/asan/src/objs/$(MODULE).so \
	    $(BUILD)/asan/

clean:
	rm -rf $(BUILD)


-include src/lib/lib.mk
-include t/unit/unit.mk
-include t/fuzz/fuzz.mk
-include src/services/services.mk
