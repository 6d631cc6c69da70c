"""Files of sentences with spans: each form is recognised, read, opened again, and written back with nothing else moved."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import labelproof as lp
from labelproof.data.readers import open_reader, reader_of
from labelproof.data.readers.base import Audited, Change, ReadOptions
from labelproof.labels.spans import Spans

CONLL = "-DOCSTART- -X- O\n\nAnn NNP B-PER\nLee NNP I-PER\nleft VBD O\n\n# sent_id = b\nHi UH O\n\n-DOCSTART- -X- O\n\nParis NNP B-LOC\r\n"
TAGGED = (
    '{"id": "s1", "document": "d1", "tokens": ["Ann",  "Lee", "left"], "ner_tags": ["B-PER", "I-PER", "O"], "note": 1.50}\n'
    '{"id": "s2", "document": "d1", "tokens": ["Hi"], "ner_tags": ["O"]}\n'
    '{"id": "s3", "document": "d2", "tokens": ["Paris"], "ner_tags": ["B-LOC"]}\n'
)
OFFSETS = (
    '{"text": "Ann Lee left", "entities": [{"start": 0, "end": 7, "label": "PER", "by": "me"}]}\n'
    '{"text": "Hi", "entities": []}\n{"text": "Paris", "entities": [{"start":0,"end":5,"label":"LOC"}]}\n'
)
DOCCANO = '{"text": "Ann Lee left", "label": [[0, 7, "PER"]]}\n{"text": "Hi", "label": []}\n{"text": "Paris", "label": [[0,5,"LOC"]]}\n'


def prodigy() -> str:
    rows = []
    for text, spans, answer in (
        ("Ann Lee left", [(0, 2, "PER")], "accept"),
        ("Ann", [(0, 1, "LOC")], "reject"),
        ("Hi", [], "accept"),
        ("Paris", [(0, 1, "LOC")], "accept"),
    ):
        words, at, tokens = text.split(), 0, []
        for i, word in enumerate(words):
            tokens.append({"text": word, "start": at, "end": at + len(word), "id": i})
            at += len(word) + 1
        found = [
            {"start": tokens[a]["start"], "end": tokens[b - 1]["end"], "token_start": a, "token_end": b - 1, "label": name}
            for a, b, name in spans
        ]
        rows.append({"text": text, "_input_hash": 1, "_task_hash": 2, "tokens": tokens, "spans": found, "answer": answer})
    return "".join(json.dumps(row) + "\n" for row in rows)


def label_studio() -> str:
    def region(start, end, text, name):
        value = {"start": start, "end": end, "text": text, "labels": [name]}
        return {"id": f"r{start}", "from_name": "ner", "to_name": "body", "type": "labels", "value": value}

    other = {"from_name": "mood", "to_name": "body", "type": "choices", "value": {"choices": ["good"]}}
    early = {"created_at": "2024-01-01", "result": [region(0, 3, "Ann", "LOC")]}
    late = {"created_at": "2024-02-01", "result": [other, region(0, 7, "Ann Lee", "PER")]}
    cancelled = {"created_at": "2024-03-01", "was_cancelled": True, "result": []}
    tasks = [
        {"id": 1, "data": {"text": "Ann Lee left"}, "annotations": [late, early, cancelled]},
        {"id": 2, "data": {"text": "Hi"}, "annotations": [{"created_at": "2024", "result": []}]},
        {"id": 3, "data": {"text": "?"}, "annotations": []},
        {"id": 4, "data": {"text": "Paris"}, "annotations": [{"created_at": "2024", "result": [region(0, 5, "Paris", "LOC")]}]},
    ]
    return json.dumps(tasks, indent=2)


def parquet(path: Path) -> None:
    words, tags = [["Ann", "Lee", "left"], ["Hi"], ["Paris"]], [["B-PER", "I-PER", "O"], ["O"], ["B-LOC"]]
    pl.DataFrame({"tokens": words, "ner_tags": tags, "n": [1, 2, 3]}).write_parquet(path)


def numbered(path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    kinds = datasets.Features(
        {
            "tokens": datasets.Sequence(datasets.Value("string")),
            "ner_tags": datasets.Sequence(datasets.ClassLabel(names=["O", "B-PER", "I-PER", "B-LOC"])),
        }
    )
    rows = {"tokens": [["Ann", "Lee", "left"], ["Hi"], ["Paris"]], "ner_tags": [[1, 2, 0], [0], [3]]}
    datasets.Dataset.from_dict(rows, features=kinds).to_parquet(path)


FORMS = {  # name of the file, what writes it, whether --kind must say that these are spans
    "conll": ("a.conll", CONLL, False),
    "conll of a plain name": ("a.txt", CONLL, True),
    "tagged": ("a.jsonl", TAGGED, False),
    "offsets": ("b.jsonl", OFFSETS, False),
    "doccano": ("c.jsonl", DOCCANO, False),
    "prodigy": ("d.jsonl", prodigy(), False),
    "label studio": ("e.json", label_studio(), False),
    "parquet": ("f.parquet", parquet, True),
    "numbered": ("g.parquet", numbered, True),
}
WANTED = [[(0, 2, "PER")], [], [(0, 1, "LOC")]]


@pytest.fixture(params=FORMS)
def source(request, tmp_path):
    name, content, asked = FORMS[request.param]
    path = tmp_path / name
    content(path) if callable(content) else path.write_bytes(content.encode())
    return path, ReadOptions(label_kind="spans" if asked else None)


def told(labels, changes=None):
    given = np.full(labels.n, None, dtype=object)
    given[:] = [Spans.to_text([list(span) for span in own], labels.classes) for own in labels.given_spans()]
    return Audited(given, labels.classes, changes or {})


def test_it_is_read_and_opened_again(source):
    path, options = source
    data = open_reader(path, options).read()
    assert data.labels.given_spans() == WANTED
    assert data.x[0] == ["Ann", "Lee", "left"]
    again = reader_of(json.loads(json.dumps(data.source)))
    assert again.read().labels == data.labels
    assert again.reopen().show(0).text == "Ann Lee left"
    assert again.reopen().take(np.array([2])) == [["Paris"]]


def test_a_copy_without_a_change_is_the_same_file(source):
    path, options = source
    data = open_reader(path, options).read()
    target = path.with_name(f"out{path.suffix}")
    reader_of(data.source).write_back(target, told(data.labels), overwrite=False)
    if path.suffix == ".parquet":
        assert pl.read_parquet(target).equals(pl.read_parquet(path))
    else:
        assert target.read_bytes() == path.read_bytes()


def test_only_what_was_decided_differs(source):
    path, options = source
    data = open_reader(path, options).read()
    target = path.with_name(f"out{path.suffix}")
    change = Change('[[0, 1, "PER"]]', "reviewed by Ann")
    reader_of(data.source).write_back(target, told(data.labels, {0: change}), overwrite=False)
    after = open_reader(target, options).read()
    assert after.labels.given_spans() == [[(0, 1, "PER")], [], [(0, 1, "LOC")]]
    assert after.ids.tolist() == data.ids.tolist()
    assert after.skipped == data.skipped
    if path.suffix != ".parquet":
        before, now = path.read_bytes().decode(), target.read_bytes().decode()
        same = len(before) - len(before.lstrip("[")) if path.suffix == ".json" else 0
        assert now[:same] == before[:same]
        assert now.split("Hi")[1] == before.split("Hi")[1]  # all that comes after the first sentence


def test_what_the_forms_say_besides_is_kept(tmp_path):
    (tmp_path / "b.jsonl").write_text(OFFSETS)
    data = open_reader(tmp_path / "b.jsonl", ReadOptions()).read()
    data.reader.write_back(
        tmp_path / "out.jsonl", told(data.labels, {0: Change('[[0, 1, "PER"], [2, 3, "LOC"]]', "")}), overwrite=False
    )
    first = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    assert first["entities"] == [{"start": 0, "end": 3, "label": "PER", "by": "me"}, {"start": 8, "end": 12, "label": "LOC"}]
    (tmp_path / "e.json").write_text(label_studio())
    data = open_reader(tmp_path / "e.json", ReadOptions()).read()
    assert data.skipped == [("3", "it has no annotation")]
    data.reader.write_back(tmp_path / "out.json", told(data.labels, {0: Change('[[0, 1, "PER"]]', "")}), overwrite=False)
    results = json.loads((tmp_path / "out.json").read_text())[0]["annotations"][0]["result"]
    assert [result["type"] for result in results] == ["choices", "labels"]
    assert (results[1]["id"], results[1]["value"]["text"]) == ("r0", "Ann")


def test_documents_and_names(tmp_path):
    (tmp_path / "a.conll").write_text(CONLL)
    assert lp.read_spans(tmp_path / "a.conll").groups.tolist() == [1, 1, 2]
    (tmp_path / "a.jsonl").write_text(TAGGED)
    data = lp.read_spans(tmp_path / "a.jsonl", id="id")
    assert (data.ids.tolist(), data.groups.tolist()) == (["s1", "s2", "s3"], ["d1", "d1", "d2"])
    assert lp.read_spans(tmp_path / "a.jsonl", label="ner_tags", text="tokens", group="id").groups.tolist() == [
        "s1",
        "s2",
        "s3",
    ]


@pytest.mark.parametrize(
    ("name", "content", "options", "said"),
    [
        ("a.conll", "Ann B-PER\nLee\n", {}, "line 2 has 1 columns, and the lines before have 2"),
        ("a.conll", "\n\n", {}, "is empty"),
        ("a.conll", "# only = this\n", {}, "no sentence"),
        ("a.conll", "Ann B-PER\n", {"label": "3"}, "number of a column, from 1 to 2"),
        ("a.conll", "Ann O\n\nAnn X-PER\n", {}, "is not written in IOB1.*It is in sentence 1 at token 0"),
        ("a.conll", "Ann O\n", {"id": "x"}, "do not apply to CoNLL columns"),
        ("a.conll", "Ann O\n", {"missing": ["O"]}, "--missing does not apply"),
        ("a.jsonl", '{"text": "Ann Lee", "entities": [[3, 3, "PER"]]}\n', {}, "the end is exclusive"),
        ("a.jsonl", '{"tokens": ["Ann"], "tags": [1]}\n', {"label_kind": "spans"}, "numbers without names"),
        ("a.jsonl", '{"tokens": ["Ann"], "ner": ["O", "O"]}\n', {"label_kind": "spans"}, "has 1 tokens but 2 tags"),
        ("a.jsonl", '{"text": "Ann"}\n', {"label_kind": "spans"}, "no list of spans"),
        ("a.jsonl", '{"body": 3}\n', {"label_kind": "spans"}, "neither a list of tokens nor a text"),
        ("a.jsonl", '{"text": "Ann Lee", "entities": [[0, 7, "PER"], [4, 7, "PER"]]}\n', {}, "overlapping spans"),
        ("a.jsonl", '{"text": "Ann", "entities": [[0, 9, "PER"]]}\n', {}, "outside 0 to 3"),
        ("a.csv", "a,b\n1,2\n", {"label_kind": "spans"}, "in no known format of spans"),
        ("a.jsonl", TAGGED, {"label": "nertags", "label_kind": "spans"}, "Did you mean 'ner_tags'"),
        ("a.jsonl", TAGGED, {"group": "doc", "label_kind": "spans"}, "--group 'doc' is not a field"),
    ],
)
def test_bad_files(tmp_path, name, content, options, said):
    (tmp_path / name).write_text(content)
    with pytest.raises(lp.BadInput, match=said):
        open_reader(tmp_path / name, ReadOptions(**options)).read()


def test_a_file_that_changed_or_a_target_of_another_form_is_refused(tmp_path):
    (tmp_path / "a.conll").write_text(CONLL)
    data = open_reader(tmp_path / "a.conll", ReadOptions()).read()
    with pytest.raises(lp.BadInput, match="in the format of the input"):
        data.reader.write_back(tmp_path / "out.csv", told(data.labels), overwrite=False)
    asked = told(data.labels)
    (tmp_path / "a.conll").write_text(CONLL.replace("B-LOC", "O"))
    with pytest.raises(lp.BadInput, match="The file has changed"):
        data.reader.write_back(tmp_path / "out.conll", asked, overwrite=False)
    with pytest.raises(lp.BadInput, match="--kind is 'numbers'"):
        open_reader(
            tmp_path / "a.jsonl" if (tmp_path / "a.jsonl").exists() else _pictures(tmp_path), ReadOptions(label_kind="numbers")
        )


def test_other_words_under_the_same_tags_are_another_file(tmp_path):
    (tmp_path / "a.conll").write_text(CONLL)
    data = open_reader(tmp_path / "a.conll", ReadOptions()).read()
    (tmp_path / "a.conll").write_text(CONLL.replace("Ann", "Zed"))
    with pytest.raises(lp.BadInput, match="not those that were audited"):
        data.reader.write_back(tmp_path / "out.conll", told(data.labels), overwrite=False)


def test_sentences_without_tags_are_skipped(tmp_path):
    (tmp_path / "a.jsonl").write_text(TAGGED.replace('["O"]', "null"))
    data = lp.read_spans(tmp_path / "a.jsonl", id="id")
    assert data.skipped == [("s2", "it has no tags")]
    assert data.ids.tolist() == ["s1", "s3"]
    data.reader.write_back(tmp_path / "out.jsonl", told(data.labels, {1: Change("[]", "")}), overwrite=False)
    assert json.loads((tmp_path / "out.jsonl").read_text().splitlines()[2])["ner_tags"] == ["O"]


def _pictures(tmp_path):
    (tmp_path / "p" / "cat").mkdir(parents=True)
    (tmp_path / "p" / "cat" / "a.png").write_bytes(b"")
    return tmp_path / "p"


def test_frames_in_memory():
    words, tags = [["Ann", "left"], ["Paris"]], [["B-PER", "O"], ["B-LOC"]]
    frame = pl.DataFrame({"words": words, "tags": tags, "name": ["x", "y"]})
    for made in (frame, frame.to_pandas(), frame.to_arrow()):
        data = lp.read_frame(made, "tags", text="words", ids="name", kind="spans")
        assert data.labels.given_spans() == [[(0, 1, "PER")], [(0, 1, "LOC")]]
        assert data.ids.tolist() == ["x", "y"]
    with pytest.raises(lp.BadInput, match="no column with lists of tags"):
        lp.read_frame(frame, "name", text="words", kind="spans")


def test_a_docbin_comes_back(tmp_path):
    spacy = pytest.importorskip("spacy")
    from spacy.tokens import Doc, DocBin, Span

    vocab = spacy.blank("en").vocab
    doc, other = Doc(vocab, ["Ann", "Lee", "left"]), Doc(vocab, ["Hi"])
    doc.set_ents([Span(doc, 0, 2, label="PER")])
    DocBin(docs=[doc, other], store_user_data=True).to_disk(tmp_path / "a.spacy")
    data = open_reader(tmp_path / "a.spacy", ReadOptions()).read()
    assert data.labels.given_spans() == [[(0, 2, "PER")], []]
    data.reader.write_back(tmp_path / "out.spacy", told(data.labels, {0: Change('[[0, 1, "PER"]]', "")}), overwrite=False)
    again = open_reader(tmp_path / "out.spacy", ReadOptions()).read()
    assert again.labels.given_spans() == [[(0, 1, "PER")], []]
