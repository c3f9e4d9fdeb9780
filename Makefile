# `make quick`, `make report`, `make test`. Each makes .venv first, if it is missing or older than requirements.lock.
PYTHON ?= python3
PROFILE ?= sample
JOBS ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
# CPU threads of each run.
THREADS ?= 1
BIN := .venv/bin
SNAKEMAKE := $(BIN)/python -m snakemake
OPTIONS = --cores $$(($(JOBS) * $(THREADS))) --config profile=$(PROFILE) threads=$(THREADS) --keep-going --rerun-incomplete --nolock \
	--rerun-triggers mtime params code --quiet rules host reason

# Containers often forbid Python to keep what it has compiled. TensorFlow would be compiled anew at each import, for 20 seconds.
unexport PYTHONDONTWRITEBYTECODE

# TensorFlow leaves oneDNN's convolutions off on processors without AVX-512, though they are faster there as well.
export TF_ENABLE_ONEDNN_OPTS ?= 1

# uv takes a third of pip's time. Where it does not work, as behind a mirror that only pip knows, pip installs.
install = $(BIN)/python -m uv pip install --quiet --python $(BIN)/python $(1) || \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(1)

.PHONY: setup torch profile cores quick report lint types test docs reference results notebooks resume lab bench kills clean lock

setup: .venv/ready

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "Python 3.11 to 3.13 is needed; got " + sys.version + ". Name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(call install,-r requirements.lock)
	$(call install,--no-deps --editable .)
	@mkdir -p .venv/etc/ipython
	@echo "c.IPKernelApp.capture_fd_output = False  # what TensorFlow's C++ code prints stays out of notebooks" > .venv/etc/ipython/ipython_kernel_config.py
	touch $@

# Tests on PyTorch run where it is installed. It is not locked: its usual build for Linux brings gigabytes of CUDA.
torch: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0

# How far two radiologists are apart, and two networks trained on such drawings, on one page.
quick: setup
	@TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -m thesis_lib.study.quick

profile:
	@test -f experiments/$(PROFILE).yaml || { echo "PROFILE must be one of: $(notdir $(basename $(wildcard experiments/*.yaml))); got $(PROFILE)"; exit 2; }

cores:
	@for given in "JOBS=$(JOBS)" "THREADS=$(THREADS)"; do case "$${given#*=}" in "" | *[!0-9]* | 0*) \
		echo "$${given%%=*} must be a whole number, 1 or more; got $${given#*=}"; exit 2;; esac; done

report: cores profile setup
	@$(SNAKEMAKE) runs $(OPTIONS) || true
	@$(SNAKEMAKE) index $(OPTIONS) || true
	@$(BIN)/python -m thesis_lib.study.report $(PROFILE)

SOURCES = thesis_lib tests benchmarks sample_data examples docs/conf.py
lint: setup types
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

types: setup
	$(BIN)/mypy

# Side by side, a file or a notebook to each process, the longest first (tests/conftest.py); none may take a whole GPU for itself.
test: cores lint
	TF_FORCE_GPU_ALLOW_GROWTH=true XLA_PYTHON_CLIENT_PREALLOCATE=false \
		TF_NUM_INTRAOP_THREADS=$(THREADS) TF_NUM_INTEROP_THREADS=$(THREADS) OMP_NUM_THREADS=$(THREADS) \
		$(BIN)/python -m pytest -q -rs -n $(JOBS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder \
		--nbval --nbval-current-env tests notebooks

# Pages of the guides, the notebooks as they were run, the results and the library: docs/_build/html/docs/index.html.
docs: setup
	$(BIN)/python -m pdoc --docformat google --math --output-directory docs/_build/library thesis_lib
	$(BIN)/python -m sphinx -W --keep-going -q -c docs -b html -d docs/_build/.doctrees . docs/_build/html

# What reports/reference keeps of a report: rows, scores of scenes, the comparison, its figures and tables. Tables of the
# two large sweeps lie one folder higher. The notebook whose committed outputs show these rows is run again.
TABLES = reports/reference$(if $(filter-out compare mnist_few_labels,$(PROFILE)),/$(PROFILE))
SHOWN_compare = notebooks/04_compare_targets.ipynb
SHOWN_mnist_few_labels = notebooks/10_compare_few_labels.ipynb
SHOWN_mnist_settings = notebooks/11_compare_settings.ipynb
reference: profile
	@ls reports/$(PROFILE)/*_compare_*.ipynb > /dev/null 2>&1 || { echo "reports/$(PROFILE) holds no executed comparison; make report PROFILE=$(PROFILE) makes it"; exit 2; }
	mkdir -p reports/reference/$(PROFILE)/figures
	cd reports/$(PROFILE) && for run in runs/*/row.json; do run=$$(dirname $$run); \
		mkdir -p ../reference/$(PROFILE)/$$run && cp $$run/row.json $$(ls $$run/scenes.npz 2>/dev/null) ../reference/$(PROFILE)/$$run/; done
	$(if $(SHOWN_$(PROFILE)),,cp reports/$(PROFILE)/*_compare_*.ipynb reports/reference/$(PROFILE)/)
	find reports/$(PROFILE)/figures/*_compare_* -name "*.png" -exec cp {} reports/reference/$(PROFILE)/figures/ \;
	cp reports/$(PROFILE)/figures/*_compare_*/*.csv $(TABLES)/
	$(if $(SHOWN_$(PROFILE)),$(MAKE) notebooks NOTEBOOKS=$(SHOWN_$(PROFILE)))
	$(MAKE) results

# RESULTS.md and the tables of README.md, from the committed rows.
results: setup
	$(BIN)/python -m thesis_lib.study.results

# Run notebooks again, in place: make notebooks NOTEBOOKS=notebooks/01_boundary_prior.ipynb
NOTEBOOKS ?= $(wildcard notebooks/*.ipynb)
notebooks: setup
	$(BIN)/jupyter nbconvert --log-level=ERROR --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False \
		--ExecutePreprocessor.kernel_name=python3 $(NOTEBOOKS)

# Take up a sweep where its committed rows end: they count as finished runs.
resume: profile
	@test -d reports/reference/$(PROFILE)/runs || { echo "reports/reference/$(PROFILE) holds no runs to go on from"; exit 2; }
	mkdir -p reports/$(PROFILE)/runs
	cp -Rn reports/reference/$(PROFILE)/runs/. reports/$(PROFILE)/runs/

lab: setup
	$(BIN)/jupyter lab --notebook-dir=.

bench: setup
	$(BIN)/python benchmarks/bench.py

# Kill a small training 50 times, at random: does it end as if it had not been killed?
kills: setup
	TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python benchmarks/kills.py 50

# Keeps the versions that are locked; `uv pip compile --upgrade` with the same options takes the newest.
lock:
	@command -v uv > /dev/null || { echo "uv is not installed: pip install uv"; exit 2; }
	uv pip compile -q pyproject.toml --extra test --universal --python-version 3.11 --no-annotate -o requirements.lock

# What else is in reports/ stays: it may be of one's own runs.
clean: profile
	rm -rf .venv .pytest_cache .mypy_cache .hypothesis .snakemake *.egg-info docs/_build reports/$(PROFILE) reports/quick reports/index.html
	find . -name __pycache__ -prune -exec rm -rf {} +
