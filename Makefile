# make run     install, run the whole notebook, leave build/lab2.ipynb and build/report.pdf
# make test    install, then lint, unit tests, and all notebooks in the smallest profile (ten minutes on two slow cores)
# make test-all  that, then what takes long: `pytest --nbval lab2.ipynb` in the profile quick, all
#              hostile hand-ins, long simulations, and make stress
# make further  the further notebooks, executed, into build/further/
# make student  the student's edition: build/student/ and build/lab2-student.zip;
#              EDITION=zh: in Chinese, and so are make run, lab and report with it
# make grade SUBMISSIONS=folder  what students handed in becomes grades/: table, feedback, summary
# make gradescope  build/gradescope.zip, the autograder for Gradescope; OPTIONS=--visibility=...
# make lab     open the notebook in JupyterLab
# make report  build/report.pdf from the last executed notebook;
#              make report AUTHOR="Your Name" OPTIONS=--no-code NOTEBOOK=other.ipynb
# make full    as run, with all data and full length (many hours on a CPU)
# make figures  the figure of the README, as further/full-size drew it last, into figures/
# make data    fetch the official data, 950 MB; nobody needs it for the quick run
# make stress  what must not be lost: 200 kills, a full disk, flipped bits, the full profile (some minutes; Linux, as root)
# make browser  in a real Chromium: the notebook in JupyterLab, run, stopped, run again; the pages to read
# make lint    what `make test` asks of the form of the code
# make constraints  after a change of a pin: constraints.txt and environment.yml anew
# make bench   how much faster the lab trains than the stock recipe, and scans beside a GRU; leaves
#              build/bench*.json (nine minutes; make bench LONG=1: all networks and batch sizes, more
#              rounds, over an hour)
# make clean   remove build/ and .venv/; data, caches and runs stay

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
LANGUAGE := $(if $(EDITION),.$(EDITION))
LESSON := lab2$(LANGUAGE).ipynb
NOTEBOOK := build/$(LESSON)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export AUTHOR

.PHONY: run student grade gradescope further full figures test test-all lab report doctor data stress browser constraints lint bench clean
.DELETE_ON_ERROR:

run: $(STAMP)
	@mkdir -p build && cp -r figures build/
	$(BIN)/papermill --kernel python3 $(LESSON) build/$(LESSON)
	$(BIN)/python tools/students/report.py build/$(LESSON) build/report$(LANGUAGE).pdf --author "$$AUTHOR"

student: $(STAMP)
	$(BIN)/python tools/teachers/student_edition.py $(if $(EDITION),--edition "$(EDITION)")

grade: $(STAMP)
	@test -n "$(SUBMISSIONS)" || { echo "Which hand-ins? make grade SUBMISSIONS=folder [ROSTER=list.csv]"; exit 1; }
	$(BIN)/python tools/teachers/grade.py "$(SUBMISSIONS)" $(if $(ROSTER),--roster "$(ROSTER)") $(OPTIONS)

gradescope: $(STAMP)
	$(BIN)/python tools/teachers/gradescope.py $(OPTIONS)

further: $(STAMP)
	@mkdir -p build/further && cp -r figures build/
	@for name in gradients recipes transfer full-size parallel past; do \
	  $(BIN)/papermill --kernel python3 --cwd further further/$$name.ipynb build/further/$$name.ipynb \
	  || exit 1; done

full: export LAB2_PROFILE := full
full: $(STAMP)
	$(MAKE) run

figures: $(STAMP)
	@where=$$($(BIN)/python -c "from lab import config; print(config.output_folder())"); \
	  cp "$$where"/figures/recipes_full.png figures/ 2>/dev/null \
	  || { echo "There is no figure to copy yet. make further draws it."; exit 1; }

NOTEBOOKS := lab2.ipynb lab2.zh.ipynb further

# A notebook stays in one process, and so do tests that share what is dear (xdist_group).
test: lint $(STAMP)-cluster
	$(BIN)/python -m pytest tests -q -m "not long" -n 2 --dist loadgroup
	LAB2_PROFILE=tiny LOKY_MAX_CPU_COUNT=1 \
	  $(BIN)/python -m pytest --nbval $(NOTEBOOKS) -q -n 2 --dist loadfile

test-all: test
	$(BIN)/python -m pytest --nbval lab2.ipynb -q
	$(BIN)/python -m pytest tests -q -m long -n 2 --dist loadgroup
	$(MAKE) stress

lab: $(STAMP)
	$(BIN)/jupyter lab $(LESSON)

report: $(STAMP)
	@test -f $(NOTEBOOK) || { echo "There is no $(NOTEBOOK). make run writes build/lab2.ipynb."; exit 1; }
	@mkdir -p build
	$(BIN)/python tools/students/report.py $(NOTEBOOK) build/report$(LANGUAGE).pdf --author "$$AUTHOR" $(OPTIONS)

doctor: $(STAMP)
	$(BIN)/python doctor.py

data: $(STAMP)
	$(BIN)/python tools/students/download.py

stress: $(STAMP)
	$(BIN)/python -m pytest tests/stress/stress_*.py -q

browser: $(STAMP)
	$(BIN)/python -m pip install --quiet playwright==1.65.2
	$(BIN)/python tests/stress/browser.py
	$(BIN)/python tests/stress/browser.py student
	$(BIN)/python tests/stress/reading.py

constraints: $(STAMP)
	$(BIN)/python -m pip install --quiet uv==0.13.9
	@mkdir -p build
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
	  requirements.txt requirements-develop.txt requirements-cluster.txt > build/resolved.txt
	@{ grep '^#' constraints.txt; grep == build/resolved.txt; } > build/constraints.txt
	@{ sed '/- pip:/q' environment.yml; sed -n 's/.*==.*/      - "&"/p' build/resolved.txt; } > build/environment.yml
	@mv build/constraints.txt build/environment.yml .

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

bench: $(STAMP)
	@for name in engine language_model scans; do \
	  $(BIN)/python tests/benchmarks/$$name.py $(if $(LONG),--long) || exit 1; done

# The first Python from 3.11 to 3.13 that really runs; a version manager's stub may not.
$(STAMP): requirements.txt requirements-develop.txt constraints.txt
	@set -e; for python in python3.11 python3.12 python3.13 python3 python; do \
	  if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; \
	  then found=$$python; break; fi; \
	done; \
	if [ -z "$${found:-}" ]; then \
	  echo "The lab needs Python 3.11, 3.12 or 3.13, and none is on the PATH: PyTorch and spaCy, in"; \
	  echo "the versions that were tested, are built for these. Install one, or use conda: README.md."; \
	  exit 1; \
	fi; \
	echo "Making $(VENV) with $$($$found --version) ..."; \
	$$found -m venv $(VENV)
	@$(BIN)/python tools/install.py
	@touch $@

$(STAMP)-cluster: requirements-cluster.txt $(STAMP)
	@$(BIN)/python tools/install.py --cluster
	@touch $@

clean:
	rm -rf build $(VENV)
