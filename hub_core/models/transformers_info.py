"""How `transformers` loads a model, by the name of its architecture: the auto class and the task that it is for."""

from __future__ import annotations

from dataclasses import dataclass

from hub_core.models.facts import ModelFacts

# The end of an architecture's name -> the task of its auto class; the first that fits counts.
_TASKS = {
    "ForCausalLM": "text-generation",
    "LMHeadModel": "text-generation",
    "ForConditionalGeneration": "text2text-generation",
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering",
    "ForMaskedLM": "fill-mask",
    "ForMultipleChoice": "multiple-choice",
    "ForImageClassification": "image-classification",
    "ForObjectDetection": "object-detection",
    "ForSemanticSegmentation": "image-segmentation",
    "ForImageTextToText": "image-text-to-text",
    "ForAudioClassification": "audio-classification",
    "ForCTC": "automatic-speech-recognition",
    "ForSpeechSeq2Seq": "automatic-speech-recognition",
}
_CLASSES = {"LMHeadModel": "AutoModelForCausalLM", "ForConditionalGeneration": "AutoModelForSeq2SeqLM"}


@dataclass(frozen=True, slots=True)
class TransformersInfo:
    """The auto class; the task, where the architecture is for one."""

    auto_model: str
    task: str | None


def transformers_info(facts: ModelFacts) -> TransformersInfo | None:
    """How to load the model; None when it is not one of `transformers`."""
    config = facts.extra.get("config") or {}
    if facts.library != "transformers" or "model_type" not in config:
        return None
    architecture = str(config.get("architecture") or "")
    for end, task in _TASKS.items():
        if architecture.endswith(end):
            return TransformersInfo(_CLASSES.get(end, f"AutoModel{end}"), task)
    return TransformersInfo("AutoModel", None)
