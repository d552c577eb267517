"""Words for emotions: each belongs to one, and the classes of the known sets find their counterparts."""

import importlib

import pytest

from emovlm import UserError, lookup
from emovlm.data.sources import demo
from emovlm.data.synonyms import BROADER, SYNONYMS, class_mapping, class_synonyms, concept_of, plain, rows_in_classes

DFEW = ["Happy", "Sad", "Neutral", "Angry", "Surprise", "Disgust", "Fear"]
MAFW = ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]  # and the four rarer ones
SETS = {
    "dfew": DFEW,
    "ferv39k": ["Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise"],
    "mafw": [*MAFW, "contempt", "anxiety", "helplessness", "disappointment"],
    "crema_d": ["anger", "disgust", "fear", "happy", "neutral", "sad"],
    "ravdess": ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"],
    "megc": ["negative", "positive", "surprise"],
    "casme2": ["happiness", "disgust", "repression", "surprise", "sadness", "fear"],
    "affectnet": ["Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Anger", "Contempt"],
    "emoset": ["amusement", "anger", "awe", "contentment", "disgust", "excitement", "fear", "sadness"],
    "emotion6": ["anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral"],
    "demo": demo.CLASSES,
    "london_faces": ["neutral", "happy"],
}


def test_a_word_belongs_to_one_emotion():
    words = [word for group in SYNONYMS.values() for word in group]
    assert len(words) == len(set(words))
    assert all(word == plain(word) for word in words)
    assert all(group[0] == concept for concept, group in SYNONYMS.items())


def test_an_emotion_has_one_broader_class_that_there_is():
    parts = [concept for concepts in BROADER.values() for concept in concepts]
    assert len(parts) == len(set(parts))
    assert set(parts) | set(BROADER) <= set(SYNONYMS)


@pytest.mark.parametrize("name", SETS)
def test_the_classes_of_a_known_set_are_emotions_of_their_own(name):
    concepts = [concept_of(word) for word in SETS[name]]
    assert None not in concepts
    assert len(set(concepts)) == len(concepts)


@pytest.mark.parametrize("name", lookup.SOURCE.names())
def test_the_classes_of_every_source_are_emotions_of_their_own(name):
    source = importlib.import_module(f"emovlm.data.sources.{name}")
    classes = [word for word in getattr(source, "CLASSES", []) if word not in ("other", "others")]
    concepts = [concept_of(word) for word in classes]
    assert None not in concepts
    assert len(set(concepts)) == len(concepts)


@pytest.mark.parametrize("name", SETS)
def test_no_word_is_in_two_classes(name):
    found = class_synonyms(SETS[name])
    words = [plain(word) for group in found.values() for word in group]
    assert len(words) == len(set(words))
    assert [group[0] for group in found.values()] == SETS[name] == list(found)


def test_the_own_name_comes_first_and_once():
    assert class_synonyms(["Joy"])["Joy"][:3] == ["Joy", "happy", "happiness"]
    assert [plain(word) for word in class_synonyms(["Joy"])["Joy"]].count("joy") == 1


def test_two_classes_of_one_emotion_share_no_words():
    found = class_synonyms(["happy", "joy", "sad"])
    assert (found["happy"], found["joy"]) == (["happy"], ["joy"])
    assert "sorrow" in found["sad"]


def test_a_class_that_is_no_emotion_has_only_its_name():
    assert class_synonyms(["wobbly", "Happy_Surprise"]) == {"wobbly": ["wobbly"], "Happy_Surprise": ["Happy_Surprise"]}


def test_names_are_compared_without_case_hyphens_and_width():
    assert plain(" Happy_Surprise ") == plain("happy-surprise") == plain("ＨＡＰＰＹ surprise") == "happy surprise"


def test_a_set_maps_onto_another():
    assert class_mapping(MAFW, DFEW) == {
        "anger": "Angry",
        "disgust": "Disgust",
        "fear": "Fear",
        "happiness": "Happy",
        "neutral": "Neutral",
        "sadness": "Sad",
        "surprise": "Surprise",
    }


def test_a_class_maps_onto_a_broader_one_where_its_own_is_not_there():
    found = class_mapping(["happy", "sad", "surprised", "fearful", "contempt"], SETS["megc"])
    assert list(found.values()) == ["positive", "negative", "surprise", "negative", "negative"]
    assert class_mapping(["joy"], ["positive", "happy"]) == {"joy": "happy"}


def test_what_has_no_counterpart_is_refused_by_name():
    with pytest.raises(UserError, match=r"data.map: contempt, anxiety, helplessness, disappointment cannot be"):
        class_mapping(SETS["mafw"], DFEW)
    with pytest.raises(UserError, match=r"data.map: neutral cannot be matched .*negative, positive, surprise"):
        class_mapping(["neutral", "sad"], SETS["megc"])
    # A broader class says too little about a narrower one.
    with pytest.raises(UserError, match="positive"):
        class_mapping(["positive"], ["happy"])


def test_two_counterparts_are_not_chosen_between_unless_one_is_spelled_alike():
    with pytest.raises(UserError, match=r"happiness \(happy or joy\?\)"):
        class_mapping(["happiness"], ["happy", "joy"])
    assert class_mapping(["Joy"], ["happy", "joy"]) == {"Joy": "joy"}
    assert class_mapping(["wobbly"], ["Wobbly"]) == {"wobbly": "Wobbly"}


ONTO_DFEW = {"joy": "Happy", "amusement": "Happy", "sadness": "Sad", "contempt": None}


def test_rows_of_one_set_under_the_classes_of_another():
    rows = [
        {"id": "a", "label": "joy"},
        {"id": "b", "label": "contempt"},
        {"id": "c", "label": "sadness", "soft_label": [0.1, 0.3, 0.4, 0.2]},
        {"id": "d"},
        {"id": "e", "soft_label": [0, 0, 0, 1]},
    ]
    kept, order, left = rows_in_classes(rows, list(ONTO_DFEW), ONTO_DFEW)
    assert order == ["Happy", "Sad"]
    assert [(row["id"], row.get("label")) for row in kept] == [("a", "Happy"), ("c", "Sad"), ("d", None)]
    # .1 of joy and .3 of amusement, and .4 of sadness, of the .8 that are not contempt.
    assert kept[1]["soft_label"] == pytest.approx({"Happy": 0.5, "Sad": 0.5})
    assert left == {"contempt": 1, "no one class": 1}
    assert rows[0]["label"] == "joy"


def test_a_table_names_every_class_and_no_other():
    with pytest.raises(UserError, match=r"data.map: has no line for sadness, contempt; give each a class, or null"):
        rows_in_classes([], list(ONTO_DFEW), {"joy": "Happy", "amusement": "Happy"})
    with pytest.raises(UserError, match=r"data.map: 'sadnes' is no class of these rows; did you mean 'sadness'"):
        rows_in_classes([], list(ONTO_DFEW), ONTO_DFEW | {"sadnes": "Sad"})
