"""mistral-common's fine-tuning validator on the messages of files of JSON lines."""

import json
import sys
from pathlib import Path

from mistral_common.protocol.instruct.messages import FinetuningAssistantMessage, SystemMessage, UserMessage
from mistral_common.protocol.instruct.validator import MistralRequestValidatorV3, ValidationMode

KINDS = {"system": SystemMessage, "user": UserMessage, "assistant": FinetuningAssistantMessage}
validator = MistralRequestValidatorV3(ValidationMode.finetuning)
for name in sys.argv[1:]:
    lines = [json.loads(line) for line in Path(name).read_text(encoding="utf-8").split("\n") if line]
    for line in lines:
        validator.validate_messages(
            [KINDS[message["role"]](content=message["content"]) for message in line["messages"]]
        )
    print(json.dumps({"file": Path(name).name, "passed": True, "detail": f"{len(lines)} lines"}))
