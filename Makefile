# The front door. CMake does the work; see CMakePresets.json for the presets.
SHELL := /bin/bash
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
PRESET ?= release

.PHONY: all demo demo-down test install deb test-vm bench format tidy mutants asan tsan clean help

all: ## build the release into build/release/bin/
	@scripts/install-packages build
	@[ -f build/$(PRESET)/build.ninja ] || cmake --preset $(PRESET) -DGANTRY_TESTS=OFF -DCMAKE_INSTALL_PREFIX=$(PREFIX) >/dev/null
	@cmake --build build/$(PRESET) -j $(JOBS)

demo: all ## build, start gantryd, bring up examples/guestbook, print what to open
	@scripts/install-packages run
	@scripts/demo up

demo-down: ## stop the demo and leave nothing behind
	@scripts/demo down

test: ## install what tests need, build, run every test
	@scripts/install-packages build run test
	@scripts/fetch-clients build/clients || echo "the tests that drive these clients will fail"
	@cmake --preset dev >/dev/null
	@cmake --build build/dev -j $(JOBS)
	@scripts/run-tests build/dev

asan tsan: ## unit and integration tests under a sanitizer
	@scripts/install-packages build run test
	@cmake --preset $@ >/dev/null
	@cmake --build build/$@ -j $(JOBS)
	@scripts/run-tests build/$@ -L 'unit|integration'

mutants: ## take each protection out of the launcher in turn; its tests must notice
	@tests/mutants/run

bench: all ## measure, and write docs/benchmarks.md
	@scripts/install-packages run test
	@scripts/install-packages bench || echo "some peers cannot be installed here: they are named as absent"
	@bench/run

install: all ## install into $(DESTDIR)$(PREFIX), with a systemd unit, completion and a manual page
	@cmake -DCMAKE_INSTALL_PREFIX=$(PREFIX) build/$(PRESET) >/dev/null
	@DESTDIR=$(DESTDIR) cmake --install build/$(PRESET) --prefix $(PREFIX)

deb: ## build a Debian package into build/deb/
	@scripts/install-packages build
	@packaging/build-deb

test-vm: deb ## install the package in a fresh Debian 12 virtual machine and test it there
	@tests/vm/run

format: ## format every source file
	@git ls-files '*.cpp' '*.h' | xargs clang-format -i

tidy: ## clang-tidy over every source file
	@cmake --preset tidy >/dev/null
	@git ls-files 'src/*.cpp' | xargs -P $(JOBS) -n 4 clang-tidy -p build/tidy --quiet \
	  --extra-arg=-include --extra-arg=$(CURDIR)/cmake/pch.h

clean: ## remove everything that was built
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z -]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'
