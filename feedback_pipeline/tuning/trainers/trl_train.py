"""Trains one model with TRL and LoRA: `python trl_train.py RUN.json`, in an environment with `trl` and `peft`.

Goes on from its last checkpoint where an earlier process of the same run stopped. Prints a line for each loss, and adds
it to `losses.jsonl` beside the run, where whoever follows the run reads it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as functional
from datasets import Dataset, load_dataset
from peft import LoraConfig
from transformers import AutoTokenizer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, SFTConfig, SFTTrainer

METHODS: dict[str, tuple[type, type, float]] = {
    "supervised": (SFTConfig, SFTTrainer, 2e-4),
    "preference": (DPOConfig, DPOTrainer, 5e-6),
    "kto": (KTOConfig, KTOTrainer, 5e-6),
}
"""Configuration, trainer and learning rate (TRL's own defaults for adapters) of each method."""

SAVES = 10
"""Checkpoints and looks at the held-out loss in a run: what a crash costs is a tenth of it."""


class LossFile(TrainerCallback):  # type: ignore[misc]
    """Adds every reported loss to a file of JSON lines."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Called by the trainer with what it measured."""
        found = logs or {}
        point = {"step": state.global_step, "of": state.max_steps, "train_loss": found.get("loss"),
                 "validation_loss": found.get("eval_loss")}  # fmt: skip
        if point["train_loss"] is not None or point["validation_loss"] is not None:
            with self.file.open("a") as file:
                file.write(json.dumps(point) + "\n")
            print(f"step {point['step']} of {point['of']}: loss {point['train_loss']}, "
                  f"held out {point['validation_loss']}", flush=True)  # fmt: skip


class WeightedSFTTrainer(SFTTrainer):  # type: ignore[misc]
    """Supervised training in which a token counts as much as its example weighs: Σ w·nll / Σ w."""

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        if "weight" not in self._signature_columns:
            self._signature_columns = [*self._signature_columns, "weight"]

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The weighted mean over the tokens of a batch."""
        weights = inputs.pop("weight")
        labels = inputs.pop("labels")
        outputs = model(input_ids=inputs["input_ids"], attention_mask=inputs.get("attention_mask"))
        targets = labels[:, 1:]
        nll = functional.cross_entropy(
            outputs.logits[:, :-1].float().transpose(1, 2), targets, ignore_index=-100, reduction="none"
        )
        weighing = weights.to(nll.device)[:, None] * (targets != -100)
        loss = (nll * weighing).sum() / weighing.sum().clamp(min=1e-9)
        return (loss, outputs) if return_outputs else loss


def weighted(collate: Any) -> Any:
    """A collator that keeps the weights of its examples."""

    def collated(examples: list[dict[str, Any]]) -> dict[str, Any]:
        weights = [float(example.pop("weight", 1.0)) for example in examples]
        batch: dict[str, Any] = collate(examples)
        batch["weight"] = torch.tensor(weights)
        return batch

    return collated


def examples(file: str | None, method: str) -> Dataset | None:
    """The lines of a file; of supervised ones the last message is what is learned."""
    if not file:
        return None
    lines = load_dataset("json", data_files=file, split="train")
    if method != "supervised":
        return lines

    def parted(line: dict[str, Any]) -> dict[str, Any]:
        messages = [{"role": one["role"], "content": one["content"]} for one in line["messages"]]
        return {"prompt": messages[:-1], "completion": messages[-1:], "weight": float(line.get("weight", 1.0))}

    return lines.map(parted, remove_columns=lines.column_names)


def main(run_file: Path) -> int:
    """One run; returns the process's exit status."""
    run = json.loads(run_file.read_text())
    folder = run_file.parent
    configuration, trainer_class, rate = METHODS[run["method"]]
    training, held_out = (examples(run[name], run["method"]) for name in ("training_file", "validation_file"))
    assert training is not None
    options = {"learning_rate": rate, "per_device_train_batch_size": 8, **run["options"]}
    lora = {"r": 16, "lora_alpha": 32, "target_modules": "all-linear", "task_type": "CAUSAL_LM",
            **options.pop("lora", {})}  # fmt: skip
    merge = options.pop("merge", True)
    batch = options["per_device_train_batch_size"] * options.get("gradient_accumulation_steps", 1)
    steps = max(1, -(-len(training) // batch) * run["epochs"])
    every = max(1, steps // SAVES)
    settings = configuration(
        output_dir=str(folder / "checkpoints"), num_train_epochs=run["epochs"], seed=run["seed"], report_to=[],
        logging_steps=max(1, steps // (5 * SAVES)), logging_first_step=True, save_strategy="steps", save_steps=every,
        save_total_limit=2, eval_strategy="steps" if held_out is not None else "no", eval_steps=every,
        eval_on_start=held_out is not None, use_cpu=not torch.cuda.is_available(), disable_tqdm=True,
        bf16=torch.cuda.is_available() and torch.cuda.is_bf16_supported(), include_num_input_tokens_seen="all",
        **(run["kto_weights"] if run["method"] == "kto" else {}), **options,
    )  # fmt: skip
    kind = WeightedSFTTrainer if run["method"] == "supervised" else trainer_class
    trainer = kind(
        model=run["model"], args=settings, train_dataset=training, eval_dataset=held_out,
        processing_class=AutoTokenizer.from_pretrained(run["model"]), peft_config=LoraConfig(**lora),
        callbacks=[LossFile(folder / "losses.jsonl")],
    )  # fmt: skip
    if kind is WeightedSFTTrainer:
        trainer.data_collator = weighted(trainer.data_collator)
    resumed = any((folder / "checkpoints").glob("checkpoint-*/trainer_state.json"))
    trainer.train(resume_from_checkpoint=resumed or None)
    trainer.save_model(str(folder / "adapter"))
    output = Path(run["output"])
    draft = output.with_name(f".{output.name}")
    (trainer.model.merge_and_unload() if merge else trainer.model).save_pretrained(str(draft))
    trainer.processing_class.save_pretrained(str(draft))
    draft.rename(output)
    summary = {"steps": trainer.state.global_step, "trained_tokens": int(trainer.state.num_input_tokens_seen or 0),
               "resumed": resumed, "seconds": trainer.state.log_history[-1].get("train_runtime")}  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
