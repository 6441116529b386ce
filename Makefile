# Each target sets up what it needs and works alone from a fresh clone.
#   make            build/icl             make test       every test, under sanitizers
#   make demo       the main job, now     make bench      against other programs, 20 minutes
#   make install    PREFIX=/usr/local     make fuzz       FUZZ_SECONDS=600 a target
#   make format     clang-format          make clean
# ICL_CACHE moves what is built once (~/.cache/icl); JOBS bounds parallel compiles; ICL_CUDA=ON is for
# NVIDIA cards, ICL_CUDA_ARCHITECTURES=90 for other ones than this machine's.

PREFIX ?= /usr/local
DESTDIR ?=
FUZZ_SECONDS ?= 600
JOBS ?= $(shell nproc)
ICL_LLAMA ?= auto
ICL_CUDA ?= OFF
ICL_CUDA_ARCHITECTURES ?=
export ICL_LLAMA ICL_CUDA ICL_CUDA_ARCHITECTURES
export ICL_JOBS = $(JOBS)
configure = cmake --log-level=WARNING -DICL_LLAMA=$(ICL_LLAMA) -DICL_CUDA=$(ICL_CUDA) \
	-DICL_CUDA_ARCHITECTURES="$(ICL_CUDA_ARCHITECTURES)"
compile = ninja --quiet -j $(JOBS) -C

all:
	@scripts/setup.sh build
	@$(configure) --preset release -DCMAKE_INSTALL_PREFIX=$(PREFIX) >/dev/null
	@$(compile) build product

demo:
	@scripts/setup.sh demo
	@$(MAKE) --no-print-directory all
	@build/icl run snips

test:
	@scripts/test.sh

bench:
	@scripts/setup.sh bench
	@$(MAKE) --no-print-directory all
	@scripts/bench.sh $(BENCH)

fuzz:
	@scripts/setup.sh test
	@$(configure) --preset fuzz >/dev/null
	@$(compile) build-fuzz
	@scripts/fuzz.sh build-fuzz $(FUZZ_SECONDS)

install:
	@scripts/setup.sh install
	@$(MAKE) --no-print-directory all
	@DESTDIR=$(DESTDIR) cmake --install build --prefix $(PREFIX)

format:
	@scripts/setup.sh format
	@find include src cli tests examples -name '*.[ch]' -exec clang-format-14 -i {} +

clean:
	@rm -rf build build-*

.PHONY: all demo test bench fuzz install format clean
