"""Serves a GGUF file on loopback until its input closes; prints the base URL. Runs in the environment of its own.

FOLDER/bin/python small_model_server.py WEIGHTS
"""

import sys

import xllamacpp


def main(weights: str) -> None:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = weights
    parameters.n_ctx = 8192
    parameters.n_parallel = 2
    parameters.cpuparams.n_threads = 2
    parameters.warmup = False
    server = xllamacpp.Server(parameters)
    print(f"{server.listening_address}/v1", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
