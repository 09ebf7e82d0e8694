"""The SavedModel, and the proof that TF Serving loads it and answers, without a server.

Modules, in the order in which they work:

- `saved_model`: writes the SavedModel with the signatures of the contract.
- `load_check`: the part of the graph that makes loading fail unless all of its own weights are there.
- `top_labels`: the operations behind the signatures that answer with labels.
- `warmup`: writes and reads the requests that TF Serving runs before it makes a version available.
- `rules`: gates on the folder and the protobuf, without loading the model.
- `server_check`: the gate `server`, which runs `server_loader` in a process of its own and judges the answers.
- `server_loader`: loads the SavedModel through the C API of TensorFlow, as TF Serving does, and answers requests.

README.md says which part of TF Serving each of them stands in for.
"""
