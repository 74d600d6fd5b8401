"""TRL's own data utilities, chat templates and trainers on files of its three kinds.

Every row must be a conversation to TRL, come out of its templates with every word in it, and leave the trainer exactly
the answer to learn from. Then each trainer takes two steps on the rows with a model of a few thousand weights.
"""

import json
import os
import sys
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

from datasets import Dataset, disable_progress_bars, load_dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, SFTConfig, SFTTrainer
from trl.data_utils import apply_chat_template, is_conversational, maybe_extract_prompt, unpair_preference_dataset

TEMPLATES = ("qwen2_5_training", "llama3_training", "qwen3_training")
disable_progress_bars()


def tokenizer(template: str) -> PreTrainedTokenizerFast:
    """One token a byte: no vocabulary needs to be downloaded, and every text comes back as it was."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate([*alphabet, "<pad>", "<eos>", "<bos>"])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    found = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>", padding_side="left"
    )
    found.chat_template = (resources.files("trl") / "chat_templates" / f"{template}.jinja").read_text()
    return found


def said(row: dict[str, Any]) -> list[str]:
    """Every text of a row, in the order a template must print it."""
    return [message["content"].strip() for message in row]


def in_order(texts: list[str], rendered: str) -> bool:
    place = 0
    for text in texts:
        place = rendered.find(text, place)
        if place < 0:
            return False
        place += len(text)
    return True


def check_sft(rows: Dataset) -> str:
    for template in TEMPLATES:
        words = tokenizer(template)
        for row in rows:
            assert is_conversational(row)
            rendered = apply_chat_template(dict(row), words)["text"]
            assert in_order(said(row["messages"]), rendered), template
            masked = words.apply_chat_template(
                row["messages"], return_dict=True, return_assistant_tokens_mask=True, tokenize=True
            )
            learned = [
                token for token, mask in zip(masked["input_ids"], masked["assistant_masks"], strict=True) if mask
            ]
            answers = [message["content"] for message in row["messages"] if message["role"] == "assistant"]
            assert in_order([answer.strip() for answer in answers], words.decode(learned)), template
    return f"{len(rows)} rows in {len(TEMPLATES)} templates, answers alone in the loss mask"


def check_dpo(rows: Dataset) -> str:
    for template in TEMPLATES:
        words = tokenizer(template)
        for row in rows:
            assert is_conversational(row)
            assert maybe_extract_prompt(dict(row)) == dict(row)
            rendered = apply_chat_template(dict(row), words)
            assert in_order(said(row["prompt"]), rendered["prompt"]), template
            for side in ("chosen", "rejected"):
                assert in_order(said(row[side]), rendered[side]), template
    unpaired = unpair_preference_dataset(rows)
    assert len(unpaired) == 2 * len(rows)
    return f"{len(rows)} rows in {len(TEMPLATES)} templates, {len(unpaired)} unpaired"


def check_kto(rows: Dataset) -> str:
    for template in TEMPLATES:
        words = tokenizer(template)
        for row in rows:
            assert is_conversational(row)
            rendered = apply_chat_template(dict(row), words)
            assert in_order(said(row["prompt"]), rendered["prompt"]), template
            assert in_order(said(row["completion"]), rendered["completion"]), template
            assert rendered["label"] is row["label"]
    return f"{len(rows)} rows in {len(TEMPLATES)} templates, {sum(rows['label'])} desirable"


def trained(kind: str, rows: Dataset, place: str) -> str:
    """Two steps of the trainer on a tiny model."""
    words = tokenizer(TEMPLATES[0])
    config = Qwen2Config(
        vocab_size=len(words), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=4096, bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id,
    )  # fmt: skip
    arguments: dict[str, Any] = {
        "output_dir": place, "max_steps": 2, "per_device_train_batch_size": 4, "report_to": [], "use_cpu": True,
        "save_strategy": "no", "logging_steps": 1, "disable_tqdm": True, "max_length": 2048, "bf16": False,
        "gradient_checkpointing": False,
    }  # fmt: skip
    configs = {"sft": SFTConfig, "dpo": DPOConfig, "kto": KTOConfig}
    trainers = {"sft": SFTTrainer, "dpo": DPOTrainer, "kto": KTOTrainer}
    own = {"assistant_only_loss": True} if kind == "sft" else {}
    Qwen2ForCausalLM(config).save_pretrained(f"{place}/tiny")
    trainer = trainers[kind](
        model=f"{place}/tiny", args=configs[kind](**arguments, **own), train_dataset=rows, processing_class=words
    )
    kept = len(trainer.train_dataset)
    assert kept == len(rows), f"the trainer keeps {kept} of {len(rows)} rows"
    losses = [entry["loss"] for entry in (trainer.train(), trainer.state.log_history)[1] if "loss" in entry]
    return f"two steps of {trainers[kind].__name__}, loss {losses[-1]:.3f}"


CHECKS = {"sft": check_sft, "dpo": check_dpo, "kto": check_kto}

for name in sys.argv[1:]:
    kind = Path(name).name.split("-")[0]
    rows = load_dataset("json", data_files=name, split="train")
    detail = CHECKS[kind](rows)
    if "train" in Path(name).name:
        with tempfile.TemporaryDirectory() as place:
            detail += "; " + trained(kind, rows, place)
    print(json.dumps({"file": Path(name).name, "passed": True, "detail": detail}), flush=True)
