"""An answer stands where the family's own template writes it; what a family cannot take is refused with the remedy."""

import pytest

from emovlm import UserError
from emovlm.prompts.answers import Answers
from emovlm.prompts.collator import Collator

from .tiny_families import FAMILIES, SIDE

CLASSES = ["happy", "sad"]
# Gemma 4's prompt holds an empty thought that a turn with an answer has not; LLaVA-OneVision's role ends otherwise.
OTHERWISE = {"gemma4", "llava_onevision"}


@pytest.mark.parametrize("name", sorted(FAMILIES.keys() - OTHERWISE))
def test_prompt_and_answer_are_the_turns_of_the_template(family, name):
    processor = family(name).processor
    answers = Answers(processor)
    question = {"role": "user", "content": [{"type": "text", "text": "?"}]}
    prompt = processor.apply_chat_template([question], add_generation_prompt=True) + answers.opening
    reply = {"role": "assistant", "content": [{"type": "text", "text": "happy"}]}
    whole = processor.apply_chat_template([question, reply])
    ours = prompt + answers.text("happy")
    assert ours.removesuffix(answers.end) == whole.rstrip("\n").removesuffix(answers.end)
    encode = processor.tokenizer
    assert encode(ours)["input_ids"] == encode(prompt)["input_ids"] + answers.ids("happy")


def test_what_stands_before_an_answer(family):
    blank = Answers(family("smolvlm").processor)
    assert (blank.opening, blank.blank) == ("", " ")
    thought = Answers(family("qwen3_5").processor)
    assert (thought.opening, thought.blank) == ("\n</think>\n\n", "")
    plain = Answers(family("qwen2_5_vl").processor)
    assert (plain.opening, plain.blank) == ("", "")
    # Its prompt says more than a turn with an answer: nothing is missing.
    assert Answers(family("gemma4").processor).opening == ""


@pytest.mark.parametrize("name", ["gemma3", "lfm2_vl"])
def test_a_video_that_would_be_dropped_is_refused(family, small, name):
    recipe = small(frames={"input": "video", "max_pixels": SIDE**2})
    with pytest.raises(UserError, match=r"frames.input: video: .* set frames.input=images"):
        Collator(family(name).processor, recipe, CLASSES, with_answers=False)


def test_times_that_would_lose_their_place_are_refused(family, small):
    processor = family("llava_onevision").processor
    with pytest.raises(UserError, match=r"prompt.time_marks: .* puts all pictures before all texts"):
        Collator(processor, small(), CLASSES, with_answers=False)
    unmarked = small(prompt={"time_marks": False})
    with pytest.raises(UserError, match=r"enrich: texts between pictures: "):
        Collator(processor, unmarked, CLASSES, with_answers=False, texts={"a": {0: ["a text"]}})
    Collator(processor, unmarked, CLASSES, with_answers=False)
    Collator(processor, small(frames={"input": "video"}), CLASSES, with_answers=False)
