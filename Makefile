# The verbs of the repository. Each works on a fresh machine that has Python 3.10 or newer and a C++ compiler.
#   make demo   the main job: train on Iris, then what a confident row's gradient looks like
#   make test   every test         make lint   every style and type check     make docs   every example of the documentation
#   make fuzz   damaged tables and model files through the commands: SECONDS=600 SEED=1
#   make bench  times beside other libraries, into benchmarks/results         make accuracy   errors in ulps, likewise
#   make sanitize  the core under the address, undefined-behaviour and thread sanitizers of GCC
#   make clean  remove what the verbs made
# PYTHON=python3.12 chooses the interpreter, BENCH='--only "in place"' goes to the benchmarks, TEST='-k linear' to pytest.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml CMakeLists.txt $(shell find cpp src -type f -not -name '*.py[co]')
CPP := $(shell find cpp -name "*.?pp" -o -name "*.inl")
ROOMS := build/rooms

SECONDS ?= 600
SEED ?= 1

.PHONY: demo test lint fuzz bench accuracy docs sanitize clean
.NOTPARALLEL:
.DELETE_ON_ERROR:

demo: $(VENV)/.cli
	@echo "Training on Iris and judging the model on rows that it did not see: a few seconds"
	$(BIN)/luce fit --output build/iris.luce
	$(BIN)/python examples/margins.py

# two workers that each bring a BLAS of two threads would wait for each other on two cores
test docs: export OPENBLAS_NUM_THREADS = 1
test: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 $(TEST)

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@# import-linter reads sources only: the compiled module is shown to it by its stub
	rm -rf $(ROOMS) && mkdir -p $(ROOMS) && cp -R src/luce $(ROOMS) && mv $(ROOMS)/luce/_core.pyi $(ROOMS)/luce/_core.py
	PYTHONPATH=$(ROOMS) $(BIN)/lint-imports --no-cache
	$(BIN)/clang-format --dry-run --Werror $(CPP)

fuzz: $(VENV)/.test
	$(BIN)/python tests/fuzzing.py --seconds $(SECONDS) --seed $(SEED)

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks $(BENCH)

accuracy: $(VENV)/.test
	$(BIN)/python benchmarks/accuracy.py

docs: $(VENV)/.test
	$(BIN)/python -m pytest tests/test_examples.py

# The tests of the core with a core of its own flags, in a package of its own that comes before the installed one. Python
# knows nothing of the sanitizers: their runtimes are loaded first, and what Python never frees is no leak of ours. Of the
# loss's tests those of memory: a sanitizer slows the multi-precision truth of the others by more than the kernels.
UNDER_ADDRESS := not drawn and not pair_of_options and not columns_of and not hessian_is and not each_ and not vocabularies
FLAGS_address := -fsanitize=address,undefined -fno-sanitize-recover=undefined
FLAGS_thread := -fsanitize=thread
runtimes = $(foreach name,$(1),$(shell $(CXX) -print-file-name=lib$(name).so))
PYTEST := OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -q -p no:xdist --capture=sys

sanitize: build/sanitize/address/luce/_core.so build/sanitize/thread/luce/_core.so
	LD_PRELOAD='$(call runtimes,asan ubsan)' ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc \
		PYTHONPATH=build/sanitize/address $(PYTEST) tests/test_[lrs]*.py tests/test_cross_entropy.py -k '$(UNDER_ADDRESS)'
	LD_PRELOAD='$(call runtimes,tsan)' PYTHONPATH=build/sanitize/thread $(PYTEST) tests/test_threads.py -k 'not fork'

build/sanitize/%/luce/_core.so: $(VENV)/.test
	rm -rf $(@D) && mkdir -p $(@D) && cp -R src/luce/. $(@D) && rm -f $(@D)/_core*.so
	$(BIN)/cmake -G Ninja -S . -B build/sanitize/$*/objects -DCMAKE_BUILD_TYPE=RelWithDebInfo -DLUCE_OPTIMISATION=-O1 \
		-DPython_EXECUTABLE=$(abspath $(BIN)/python) -DCMAKE_MAKE_PROGRAM=$(abspath $(BIN)/ninja) \
		-DCMAKE_CXX_COMPILER=$(CXX) -DCMAKE_CXX_FLAGS='$(FLAGS_$*) -fno-omit-frame-pointer'
	$(BIN)/cmake --build build/sanitize/$*/objects
	cp build/sanitize/$*/objects/_core*.so $@

clean:
	rm -rf build dist $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The build's own tools live in the environment, so that a second build compiles only what has changed.
$(VENV)/.tools: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Luce needs Python 3.10 or newer: make PYTHON=..." if sys.version_info < (3, 10) else 0)'
	@echo "Making an environment in $(VENV) and getting the build's tools: about half a minute"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip 'scikit-build-core>=0.10' 'nanobind>=2.4' cmake ninja
	@touch $@

# The linters read the sources: a change of the sources does not install them again.
$(VENV)/.lint: $(VENV)/.tools
	@echo "Getting the linters: about a minute"
	$(BIN)/python -m pip install --quiet --no-build-isolation '.[lint]'
	@touch $@

$(VENV)/.cli $(VENV)/.test $(VENV)/.bench: $(VENV)/.%: $(VENV)/.tools $(SOURCES)
	@echo "Compiling the C++ core for this machine's instruction sets and getting what '.[$*]' needs:"
	@echo "two to five minutes the first time; later only what has changed is compiled"
	$(BIN)/python -m pip install --quiet --no-build-isolation '.[$*]'
	@touch $@
