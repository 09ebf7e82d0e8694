"""The verbs of the command line as Python functions, one module each, with the same defaults.

Arguments have the names of the options, with underscores. Five differ: `--target`, `--text`, `--image` and `--audio`
for data are `target_column`, `text_column`, `image_column` and `audio_column`, and `--from` is `from_`.

A verb chooses the newest run or artifact if none is named, calls the wings (`zoo`, `zoo.export`, `zoo.serving`), and
returns a record. It prints nothing: pass `say=print` to read the lines that the command line writes to standard error.
Only this package and the command line know all three wings. The table in `zoo/__init__.py` names the home of every
public name.
"""
