"""Why a program ended, from what real servers write before they end."""

from __future__ import annotations

import signal

import pytest

from hub_core.clusters.explain import explain
from hub_core.clusters.reasons import TEXTS, because, parts_of, together

LLAMA = "llama_model_load_from_file_impl: failed to load model\nmain: exiting due to model loading error"
SAID = {
    # llama.cpp
    f"llama_model_load: error loading model: error loading model architecture: unknown model architecture: 'qwen9'\n{LLAMA}": "unknown_architecture",
    f"llama_model_load: error loading model: error loading model vocabulary: unknown pre-tokenizer type: 'x'\n{LLAMA}": "unknown_architecture",
    f"gguf_init_from_file_impl: invalid magic characters: 'vers', expected 'GGUF'\n{LLAMA}": "damaged_file",
    f"llama_model_load: error loading model: tensor 'blk.9' data is not within the file bounds, model is corrupted or incomplete\n{LLAMA}": "damaged_file",
    f"llama_model_load: error loading model: missing tensor 'token_embd.weight'\n{LLAMA}": "damaged_file",
    f"gguf_init_from_file: failed to open GGUF file '/m/a.gguf' (No such file or directory)\n{LLAMA}": "missing_file",
    "ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 8589934592": "out_of_memory",
    "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 4096.00 MiB on device 0: cudaMalloc failed: out of memory": "out_of_gpu_memory",
    "start: couldn't bind HTTP server socket, hostname: 127.0.0.1, port: 8080\nmain: exiting due to HTTP server error": "port_taken",
    "ggml_cuda_init: failed to initialize CUDA: no CUDA-capable device is detected": "no_gpu",
    # PyTorch, transformers, safetensors, uvicorn
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.69 GiB": "out_of_gpu_memory",
    "RuntimeError: [enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 4294967296 bytes. Error code 12 (Cannot allocate memory)": "out_of_memory",
    "ValueError: The checkpoint you are trying to load has model type `foo` but Transformers does not recognize this architecture.": "unknown_architecture",
    "ValueError: Unrecognized model in /models/x. Should have a `model_type` key in its config.json": "unknown_architecture",
    "OSError: Error no file named model.safetensors, or pytorch_model.bin, found in directory /models/x.": "missing_file",
    "OSError: Can't load tokenizer for '/models/x'. If you were trying to load it from 'https://huggingface.co/models'": "missing_file",
    "safetensors_rust.SafetensorError: Error while deserializing header: incomplete metadata, file not fully covered": "damaged_file",
    "RuntimeError: No CUDA GPUs are available": "no_gpu",
    "RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU": "no_gpu",
    "AssertionError: Torch not compiled with CUDA enabled": "no_gpu",
    "ImportError: libcudart.so.12: cannot open shared object file: No such file or directory": "no_gpu",
    "ValueError: Loading /models/x requires you to execute the configuration file in that repo on your local machine. Please set the option `trust_remote_code=True` to remove this error.": "code_in_model",
    "ERROR:    [Errno 98] error while attempting to bind on address ('127.0.0.1', 8000): address already in use": "port_taken",
    "ModuleNotFoundError: No module named 'accelerate'": "missing_package",
    # vLLM: the last line tells nothing
    "ValueError: Model architectures ['FooForCausalLM'] are not supported for now. Supported architectures: dict_keys([])\nRuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}": "unknown_architecture",
    "ValueError: Free memory on device (10.2/23.6 GiB) on startup is less than desired GPU memory utilization (0.9, 21.3 GiB).\nRuntimeError: Engine core initialization failed. See root cause above.": "out_of_gpu_memory",
    "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing the engine.": "out_of_gpu_memory",
    "ValueError: To serve at least one request with the models's max seq len (131072), (16.00 GiB KV cache is needed, which is larger than the available KV cache memory (5.02 GiB).": "context_too_long",
    "RuntimeError: Failed to infer device type, please set the environment variable `VLLM_LOGGING_LEVEL=DEBUG`": "no_gpu",
    # the system
    "OSError: [Errno 28] No space left on device: '/tmp/x'": "disk_full",
    "PermissionError: [Errno 13] Permission denied: '/models/x'": "no_permission",
}  # fmt: skip


@pytest.mark.parametrize(("log", "code"), SAID.items(), ids=range(len(SAID)))
def test_what_real_servers_write_is_told_in_plain_words(log: str, code: str) -> None:
    told = explain(1, f"loading\n{log}\n", 3)
    assert [part[0] for part in parts_of(told)] == [code, "exited_often", "log_says"]
    assert told.startswith(TEXTS[code])
    assert "3 times in a row (exit status 1)" in told
    assert parts_of(told)[-1][1]["line"][:60] in log  # the line that tells, not just the last one


def test_an_early_warning_is_not_taken_for_the_cause() -> None:
    log = "ggml_cuda_init: no CUDA devices found\nllama_kv_cache: failed to allocate buffer for kv cache"
    assert parts_of(explain(1, log))[0][0] == "out_of_memory"


def test_without_a_sign_it_says_how_it_ended_and_the_last_line() -> None:
    assert explain(3, "\x1b[31mready\x1b[0m\nbye") == "It ended (exit status 3). Its log says: bye"
    assert explain(-signal.SIGKILL, "") == "The system or an operator killed it. It ended (signal SIGKILL). It wrote nothing."
    assert explain(None, "x", 2) == "It ended 2 times in a row, and nobody saw how. Its log says: x"
    assert explain(-99, "x") == "It ended (signal 99). Its log says: x"


def test_reasons_keep_their_codes_when_they_are_put_together() -> None:
    told = together(because("copies", ready=1, replicas=2), "", "The cluster says so.")
    assert told == "1 of 2 copies answer. The cluster says so."
    assert parts_of(told) == (("copies", {"ready": 1, "replicas": 2}), ("other", {"text": "The cluster says so."}))
    assert parts_of("") == ()
