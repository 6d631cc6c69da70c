"""Frames and data sets in memory, of every library, read as files are; the findings joined to them again."""

from __future__ import annotations

import datetime
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from PIL import Image

import labelproof as lp
from labelproof.auditing.join import COLUMNS
from labelproof.data.libraries import LIBRARIES, library_of
from labelproof.data.readers import reader_of
from labelproof.data.values import picture_of_array

N, WRONG, BARE = 60, 7, 9  # items; one with a wrong label; one without
KINDS = np.array(["cat", "dog"])
TRUE = np.arange(N) % 2
PROBS = np.where(np.eye(2, dtype=bool)[TRUE], 0.95, 0.05)


@pytest.fixture
def frame() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    given: list[str | None] = KINDS[TRUE].tolist()
    given[WRONG], given[BARE] = "cat", None
    begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    columns = {
        "key": [f"k{i}" for i in range(N)],
        "size": TRUE + rng.normal(0, 0.1, N),
        "when": pl.Series([begin + datetime.timedelta(days=i % 7) for i in range(N)], dtype=pl.Datetime("us", "Europe/Berlin")),
        "colour": pl.Series(np.array(["red", "blue", "grey"])[np.arange(N) % 3], dtype=pl.Enum(["red", "blue", "grey"])),
        "many": pl.Series([None if i % 11 == 0 else i % 5 for i in range(N)], dtype=pl.Int64),
        "kind": given,
        "title": np.array(["purr whisker meow", "bark fetch woof"])[TRUE],
        "body": [f"number {i}" if i % 3 else None for i in range(N)],
    }
    return pl.DataFrame(columns)


class Handed:
    """A frame of a library that nobody knows, which hands over its columns as Arrow."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.frame.__arrow_c_stream__(requested_schema)


class Interchanged:
    """One that knows the DataFrame interchange protocol only."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame.with_columns(pl.col("colour").cast(pl.String)).to_pandas()

    def __dataframe__(self, **options: Any) -> Any:
        return self.frame.__dataframe__(**options)


def of_datasets(frame: pl.DataFrame) -> datasets.Dataset:
    """With the labels as numbers of classes that have names, -1 for none."""
    codes = frame["kind"].replace_strict({"cat": 0, "dog": 1}, default=-1, return_dtype=pl.Int64)
    plain = frame.with_columns(codes, pl.col("colour").cast(pl.String))
    table = plain.to_arrow(compat_level=pl.CompatLevel.oldest())
    made = datasets.Dataset(table)
    return made.cast_column("kind", datasets.ClassLabel(names=["cat", "dog"]))


MADE: dict[str, Callable[[pl.DataFrame], Any]] = {
    "polars": lambda frame: frame,
    "polars lazy": lambda frame: frame.lazy(),
    "pandas": lambda frame: frame.to_pandas(),
    "pandas of Arrow": lambda frame: frame.to_pandas(use_pyarrow_extension_array=True),
    "arrow": lambda frame: frame.to_arrow(),
    "arrow batch": lambda frame: frame.rechunk().to_arrow().to_batches()[0],
    "datasets": of_datasets,
    "handed over": Handed,
    "interchanged": Interchanged,
}
COMES_BACK = {"polars lazy": pl.LazyFrame, "handed over": pa.Table, "interchanged": pa.Table}


def plain(own: Any) -> pl.DataFrame:
    """A frame of any library as one of polars, names of categories as text."""
    if isinstance(own, datasets.Dataset):
        own = own.with_format("arrow")[:]
    own = own.collect() if isinstance(own, pl.LazyFrame) else own
    made = (
        pl.from_pandas(own) if isinstance(own, pd.DataFrame) else own if isinstance(own, pl.DataFrame) else pl.from_arrow(own)
    )
    assert isinstance(made, pl.DataFrame)
    return made.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))


@pytest.fixture(params=MADE)
def own(request: Any, frame: pl.DataFrame) -> Any:
    return MADE[request.param](frame)


def test_every_library_has_a_row_in_the_battery(frame):
    others = {LIBRARIES["anndata"], LIBRARIES["torch"]}
    assert {library_of(made(frame)) for made in MADE.values()} | others == {LIBRARIES[name] for name in LIBRARIES}


def test_it_is_what_the_file_is(own, frame, tmp_path):
    """A column of few words is text wherever it comes from, and a point in time keeps its zone."""
    frame.write_parquet(tmp_path / "t.parquet")
    of_file = lp.read_table(tmp_path / "t.parquet", "kind", id="key")
    of_frame = lp.read_frame(own, "kind", ids="key")
    assert of_frame.x.columns == of_file.x.columns == ["size", "when", "colour", "many", "title", "body"]
    assert of_frame.x.with_columns(pl.col("when").cast(pl.Datetime("us"))).equals(of_file.x)
    assert of_frame.labels == of_file.labels
    assert of_frame.given[BARE] == -1
    assert of_frame.ids.tolist() == of_file.ids.tolist()
    assert dict(of_frame.show(1).fields)["size"] == str(frame["size"][1])


def test_several_columns_are_one_text(own):
    data = lp.read_frame(own, "kind", text=["title", "body"])
    assert data.kind == "text"
    assert data.x[1] == "bark fetch woof\n\nnumber 1"
    assert data.x[0] == "purr whisker meow"  # an empty one is left out


def test_findings_come_back_in_its_own_library(own, request, frame):
    before = plain(own.frame if isinstance(own, Interchanged | Handed) else own)
    found = lp.audit(own, PROBS, label="kind", ids="key")
    joined = found.join(own)
    assert isinstance(joined, COMES_BACK.get(request.node.callspec.params["own"], type(own)))
    after = plain(joined)
    assert after.select(before.columns).equals(before)
    assert after.columns == [*before.columns, *COLUMNS]
    assert after["given_label"].to_list() == frame["kind"].to_list()
    assert np.allclose(after["error_probability"].fill_null(np.nan), found.error_probability, equal_nan=True)
    assert after["suggested_label"][WRONG] == "dog"
    assert after["verdict"].to_list()[WRONG] in ("obvious", "possible")
    assert after.row(BARE)[-len(COLUMNS) :] == (None,) * len(COLUMNS)
    assert plain(own.frame if isinstance(own, Interchanged | Handed) else own).equals(before)


def test_other_rows_and_names_that_are_taken_are_refused(own, frame, request):
    make = MADE[request.node.callspec.params["own"]]
    found = lp.audit(own, PROBS, label="kind")
    with pytest.raises(
        lp.BadInput, match=r"has 120 rows but 60 items were audited|has the row 60, which is no item of the audit"
    ):
        found.join(make(pl.concat([frame, frame])))
    taken = make(frame.with_columns(verdict=pl.lit("guilty")))
    with pytest.raises(lp.BadInput, match=r"already has a column 'verdict'.*prefix='found_'"):
        found.join(taken)
    assert "found_verdict" in plain(found.join(taken, prefix="found_")).columns


def test_bad_columns_are_named(own):
    with pytest.raises(lp.BadInput, match=r"'kinds' is not a column of 'the frame'. Did you mean 'kind'"):
        lp.audit(own, PROBS, label="kinds")
    with pytest.raises(lp.BadInput, match="Did you mean 'title'"):
        lp.read_frame(own, "kind", text="titel")
    with pytest.raises(lp.BadInput, match="Did you mean 'body'"):
        lp.read_frame(own, "kind", image="bodi")
    with pytest.raises(lp.BadInput, match="Did you mean 'key'"):
        lp.read_frame(own, "kind", ids="kye")
    with pytest.raises(lp.BadInput, match=r"label is missing\. Name the column of the frame that holds the labels"):
        lp.read_frame(own)
    with pytest.raises(lp.BadInput, match="Give only the one to learn from"):
        lp.read_frame(own, "kind", text="title", image="body")
    with pytest.raises(lp.BadInput, match="Omit them when you give text"):
        lp.read_frame(own, "kind", text="title", ignore=["size"])


def test_an_empty_frame_is_refused(own, request, frame):
    batch = isinstance(own, pa.RecordBatch)  # a frame without rows has none
    empty = own.slice(0, 0) if batch else MADE[request.node.callspec.params["own"]](frame.head(0))
    with pytest.raises(lp.BadInput, match="the frame has no rows"):
        lp.audit(empty, label="kind")


def test_a_part_of_it_is_joined_by_its_names(own, request, frame):
    found = lp.audit(own, PROBS, label="kind", ids="key")
    part = MADE[request.node.callspec.params["own"]](frame[::-3])
    after = plain(found.join(part))
    assert after["given_label"].to_list() == frame["kind"][::-3].to_list()
    assert np.allclose(after["error_probability"].fill_null(np.nan), found.error_probability[::-3], equal_nan=True)
    with pytest.raises(lp.BadInput, match="names its items by the column 'key', which the frame does not have"):
        found.join(MADE[request.node.callspec.params["own"]](frame.rename({"key": "name"})))


@pytest.mark.parametrize("made", [MADE["polars"], MADE["arrow"], MADE["datasets"], MADE["pandas"]])
def test_rows_told_by_their_order_must_have_their_labels(frame, made):
    found = lp.audit(made(frame), PROBS, label="kind")
    after = plain(found.join(made(frame)))
    assert after["given_label"].to_list() == frame["kind"].to_list()
    mended = frame.with_columns(kind=pl.Series([*frame["kind"][:WRONG], "dog", *frame["kind"][WRONG + 1 :]]))
    if made is not MADE["pandas"]:  # whose rows have numbers
        with pytest.raises(lp.BadInput, match="row 1 of the frame is 'cat' but was 'dog' when it was audited"):
            found.join(made(frame[[0, 2, 1, *range(3, N)]]))
        with pytest.raises(lp.BadInput, match=f"row {WRONG} of the frame is 'dog' but was 'cat'.*ids=range"):
            found.join(made(mended))
    assert plain(found.join(made(mended), ids=range(N)))["given_label"].to_list() == frame["kind"].to_list()


def test_an_audit_that_was_saved_joins_as_before(frame, tmp_path):
    found = lp.audit(frame, PROBS, label="kind", ids="key")
    assert reader_of(found.source) is None
    found.save(tmp_path / "audit")
    loaded = lp.Audit.load(tmp_path / "audit")
    assert loaded.issues.equals(found.issues)
    assert loaded.ids[BARE] is None  # it has no finding, and is not in the files
    assert loaded.join(frame.reverse()).equals(found.join(frame).reverse())


def test_a_model_is_chosen_for_a_frame(frame):
    found = lp.audit(frame.drop("title", "body", "when"), label="kind", ids="key")
    assert found.issues["id"][0] == f"k{WRONG}"
    assert lp.audit(frame, label="kind", text=["title", "body"]).issues["index"][0] == WRONG


# pandas


def test_the_index_names_the_items(frame):
    named = frame.to_pandas().set_index("key")
    found = lp.audit(named, PROBS, label="kind")
    assert found.issues["id"][0] == f"k{WRONG}"
    shuffled = named.sample(frac=1, random_state=0)
    joined = found.join(shuffled)
    assert joined.index.equals(shuffled.index)
    assert joined.loc["k7", "suggested_label"] == "dog"
    assert found.join(named.head(5)).shape == (5, named.shape[1] + len(COLUMNS))
    assert lp.read_frame(named, "kind", ids="key").ids[1] == "k1"  # the index, by its name
    assert lp.read_frame(named, "kind", ids=[f"n{i}" for i in range(N)]).ids[1] == "n1"


def test_rows_keep_their_numbers_when_a_frame_is_sorted_or_filtered(frame):
    own = frame.to_pandas()
    found = lp.audit(own, PROBS, label="kind")
    assert found.issues["id"][0] == WRONG
    assert found.join(own.sort_values("size")).loc[WRONG, "suggested_label"] == "dog"
    assert found.join(own[own["kind"] == "cat"])["given_label"].eq("cat").all()
    with pytest.raises(lp.BadInput, match="has the row 60, which is no item"):
        found.join(pd.concat([own, own], ignore_index=True))
    later = lp.audit(own[10:], PROBS[10:], label="kind")
    assert later.issues["id"].sort().to_list()[0] == 10
    with pytest.raises(lp.BadInput, match="has the row 0, which is no item"):
        later.join(own)


def test_an_index_with_a_name_twice_is_said(frame):
    own = frame.to_pandas().set_index("kind", drop=False)
    own.index.name = "group"
    own.index = own.index.fillna("none")
    with pytest.warns(
        lp.LabelproofWarning, match=r"has 'cat' twice or more, so items are named by row number. Name them by ids="
    ):
        found = lp.audit(own, PROBS, label="kind")
    assert found.ids.tolist() == list(range(N))
    joined = found.join(own)
    assert joined.index.equals(own.index)
    assert joined["suggested_label"].iloc[WRONG] == "dog"
    levels = frame.to_pandas().set_index(["key", "title"])
    assert lp.read_frame(levels, "kind").ids[1] == "k1, bark fetch woof"


def test_another_index_than_that_of_the_probabilities_is_refused(frame):
    own = frame.to_pandas()
    probs = pd.DataFrame(PROBS, columns=["cat", "dog"])
    with pytest.raises(lp.BadInput, match="frame and pred_probs have different pandas indices"):
        lp.audit(own, probs[::-1], label="kind")


@pytest.mark.parametrize(
    "missing", [None, np.nan, pd.NA, pd.NaT, "", float("nan")], ids=["None", "nan", "NA", "NaT", "empty", "float"]
)
def test_what_means_missing_in_pandas_is_unlabelled(missing):
    given = pd.Series(["cat", "dog"] * 10, dtype=object)
    given[3] = missing
    data = lp.read_frame(pd.DataFrame({"kind": given, "size": np.arange(20.0)}), "kind")
    assert np.flatnonzero(data.given == -1).tolist() == [3]


@pytest.mark.parametrize(
    "labels",
    [
        pd.Series(pd.Categorical(["cat", "dog", None, "dog"] * 5)),
        pd.Series(["cat", "dog", pd.NA, "dog"] * 5, dtype="string"),
        pd.Series(["cat", "dog", None, "dog"] * 5, dtype="string[pyarrow]"),
        pd.Series(pd.arrays.SparseArray(["cat", "dog", None, "dog"] * 5, dtype=pd.SparseDtype(object, None))),
    ],
    ids=["categories", "strings", "strings of Arrow", "sparse"],
)
def test_labels_of_every_type_of_pandas(labels):
    data = lp.read_frame(pd.DataFrame({"kind": labels, "size": np.arange(20.0)}), "kind")
    assert data.given_names.tolist() == ["cat", "dog", None, "dog"] * 5


@pytest.mark.parametrize("dtype", ["Int64", "int64[pyarrow]", "float64", object])
def test_whole_numbers_with_gaps_stay_whole(dtype):
    labels = pd.Series([3, 5, None, 5] * 5, dtype=dtype)
    own = pd.DataFrame({"kind": labels, "size": np.arange(20.0)})
    found = lp.audit(own, np.tile([[0.9, 0.1], [0.1, 0.9]], (10, 1)), label="kind")
    assert found.classes == (3, 5)
    joined = found.join(own)
    assert str(joined["given_label"].dtype) == "Int64"
    assert joined["given_label"].tolist()[:2] == [3, 5]
    assert joined["given_label"][2] is pd.NA


def test_labels_of_two_types_and_columns_of_anything():
    own = pd.DataFrame(
        {
            "kind": [1, "a", None, "a"] * 5,
            "when": pd.period_range("2020-01", periods=20, freq="M"),
            "span": pd.interval_range(0, 20),
            "thing": [object() for _ in range(20)],
            "zone": pd.date_range("2020-01-01", periods=20, tz="Europe/Berlin"),
            "size": np.arange(20.0),
        }
    )
    with pytest.warns(lp.LabelproofWarning, match="'thing'"):
        data = lp.read_frame(own, "kind")
    assert data.given_names.tolist() == ["1", "a", None, "a"] * 5
    assert data.x.columns == ["when", "span", "zone", "size"]
    assert data.x["when"][1] == "2020-02"


def test_two_columns_of_one_name_are_refused():
    own = pd.DataFrame([[1, "a", 2]] * 4, columns=["size", "kind", "size"])
    with pytest.raises(lp.BadInput, match="two columns named 'size'"):
        lp.read_frame(own, "kind")


# datasets


def test_splits_and_streams_are_refused(frame):
    own = of_datasets(frame)
    with pytest.raises(lp.BadInput, match=r"a DatasetDict of several splits. Give one: 'train', 'test'"):
        lp.audit(datasets.DatasetDict({"train": own, "test": own}), label="kind")
    with pytest.raises(lp.BadInput, match="IterableDataset"):
        lp.audit(own.to_iterable_dataset(), label="kind")


def test_a_data_set_that_was_shuffled_is_read_in_its_order(frame):
    own = of_datasets(frame).shuffle(seed=1).select(range(20))
    assert lp.read_frame(own, "kind", ids="key").ids.tolist() == own["key"][:]
    assert lp.read_frame(own, "kind", text="title").x.tolist() == own["title"][:]


# pictures


def drawn(n: int = 12, size: int = 40) -> list[Image.Image]:
    """Dark and light ones, in turn."""
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 60, (size, size, 3), np.uint8) + np.uint8(180 * (i % 2))) for i in range(n)]


def encoded(picture: Image.Image) -> bytes:
    held = io.BytesIO()
    picture.save(held, "PNG")
    return held.getvalue()


KIND = ["dark", "light"] * 6


def picture_columns(tmp_path) -> dict[str, Any]:
    pictures = drawn()
    for i, picture in enumerate(pictures):
        picture.save(tmp_path / f"{i}.png")
    paths = [str(tmp_path / f"{i}.png") for i in range(12)]
    features = datasets.Features({"picture": datasets.Image(), "kind": datasets.ClassLabel(names=["dark", "light"])})
    coded = {"picture": pictures, "kind": [0, 1] * 6}
    arrays = [np.asarray(picture) for picture in pictures]
    return {
        "paths of polars": pl.DataFrame({"picture": paths, "kind": KIND}),
        "bytes of polars": pl.DataFrame({"picture": [encoded(p) for p in pictures], "kind": KIND}),
        "arrays of polars": pl.DataFrame({"picture": pl.Series(np.stack(arrays)), "kind": KIND}),
        "pictures of pandas": pd.DataFrame({"picture": pictures, "kind": KIND}),
        "arrays of pandas": pd.DataFrame({"picture": arrays, "kind": KIND}),
        "bytes of Arrow": pa.table({"picture": [encoded(p) for p in pictures], "kind": KIND}),
        "datasets": datasets.Dataset.from_dict(coded, features=features),
    }


def test_a_column_of_pictures(tmp_path):
    for i, picture in enumerate(drawn()):
        (tmp_path / "folder" / KIND[i]).mkdir(parents=True, exist_ok=True)
        picture.save(tmp_path / "folder" / KIND[i] / f"{i:02d}.png")
    of_folder = lp.read_images(tmp_path / "folder")
    order = np.argsort([Path(str(name)).name for name in of_folder.ids])
    for own in picture_columns(tmp_path).values():
        data = lp.read_frame(own, "kind", image="picture")
        assert data.kind == "images"
        assert data.given_names.tolist() == KIND
        assert np.array_equal(data.x, of_folder.x[order])
        assert Image.open(io.BytesIO(data.show(1).image)).size == (40, 40)


def test_pictures_that_cannot_be_read_are_skipped_and_joined_as_missing(tmp_path):
    paths = picture_columns(tmp_path)["paths of polars"]
    broken = paths.with_columns(picture=pl.Series([*paths["picture"][:3], None, "https://a.b/c.png", *paths["picture"][5:]]))
    data = lp.read_frame(broken, "kind", image="picture")
    assert data.skipped == [
        ("3", "is empty"),
        ("4", "is a URL, and nothing is downloaded. Give the path of a file"),
    ]
    probs = np.where(np.eye(2, dtype=bool)[data.given], 0.9, 0.1)
    found = lp.audit(data, probs)
    joined = found.join(broken)
    assert joined["given_label"].to_list() == [*KIND[:3], None, None, *KIND[5:]]
    own = broken.to_pandas()
    assert found.join(own)["given_label"].isna().tolist() == [i in (3, 4) for i in range(12)]
    with pytest.raises(lp.BadInput, match="None of the 12 pictures"):
        lp.read_frame(paths.with_columns(picture=pl.lit("nowhere.png")), "kind", image="picture")


@pytest.mark.parametrize("channels", [1, 3])
def test_arrays_of_every_scale_and_order_are_one_picture(channels):
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    whole = grey if channels == 1 else np.stack([grey, grey.T, 255 - grey], axis=-1)
    expected = np.asarray(picture_of_array(whole))
    first = whole[None] if channels == 1 else whole.transpose(2, 0, 1)
    for array in (whole / 255, whole.astype(float), whole.astype(np.int64), first, first / 255, whole.astype(np.uint16) * 257):
        assert np.array_equal(np.asarray(picture_of_array(array)), expected)
    beyond = np.asarray(picture_of_array(whole / 255 * 6 - 3))  # standardised: by its range
    assert np.abs(beyond.astype(int) - np.rint((expected - expected.min()) / np.ptp(expected) * 255)).max() <= 1
    with pytest.raises(lp.BadInput, match="is not a picture"):
        picture_of_array(np.zeros((5, 6, 7)))


def test_an_opened_picture_is_upright_and_stays_open():
    picture = Image.new("RGB", (8, 4))
    exif = picture.getexif()
    exif[274] = 6
    held = io.BytesIO()
    picture.save(held, "JPEG", exif=exif)
    opened = Image.open(held)
    data = lp.read_frame(pd.DataFrame({"p": [opened, picture] * 2, "kind": ["a", "b"] * 2}), "kind", image="p")
    assert Image.open(io.BytesIO(data.show(0).image)).size == (4, 8)
    assert np.asarray(opened).shape == (4, 8, 3)


# torch


class Squares(torch.utils.data.Dataset):  # type: ignore[type-arg]
    """Pictures with channels first, as torch has them."""

    classes = ("dark", "light")

    def __init__(self, n: int = 12) -> None:
        self.pictures = [torch.from_numpy(np.asarray(p).transpose(2, 0, 1) / np.float32(255)) for p in drawn(n)]
        self.asked = 0

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        self.asked += 1
        return self.pictures[i], -1 if i == 5 else i % 2


def test_pictures_of_a_torch_data_set():
    own = Squares()
    data = lp.read_frame(own)
    assert data.kind == "images"
    assert data.given_names.tolist() == [*KIND[:5], None, *KIND[6:]]
    assert np.array_equal(data.x[0], lp.read_frame(pd.DataFrame({"p": drawn(), "y": KIND}), "y", image="p").x[0])
    assert own.asked <= 12 + 2  # what it is was looked at first
    assert Image.open(io.BytesIO(data.show(0).image)).size == (40, 40)
    part = lp.read_frame(torch.utils.data.Subset(own, [0, 1, 2, 3]))
    assert part.classes == ("dark", "light")
    found = lp.audit(own, np.where(np.eye(2, dtype=bool)[np.arange(12) % 2], 0.9, 0.1))
    assert found.issues.height == 11
    with pytest.raises(lp.BadInput, match="has no columns to join"):
        found.join(own)


def test_rows_and_texts_of_torch_data_sets_and_lists():
    x, y = torch.arange(40.0).reshape(20, 2), torch.arange(20) % 2
    data = lp.read_frame(torch.utils.data.TensorDataset(x, y), ids=[f"n{i}" for i in range(20)])
    assert data.kind == "arrays"
    assert np.array_equal(data.x, x.numpy())
    assert data.classes == (0, 1)
    assert data.ids[3] == "n3"
    pairs = [(row, int(kind)) for row, kind in zip(x.numpy(), y, strict=True)]
    assert np.array_equal(lp.read_frame(pairs).x, data.x)
    texts = lp.read_frame([("bark woof", "dog"), ("purr", "cat"), ("", None)] * 3)
    assert texts.kind == "text"
    assert texts.given_names.tolist() == ["dog", "cat", None] * 3
    found = lp.audit([(row, kind if i != WRONG else 1 - kind) for i, (row, kind) in enumerate(_apart())])
    assert found.issues["index"][0] == WRONG


def _apart() -> list[tuple[np.ndarray, int]]:
    rng = np.random.default_rng(0)
    return [(rng.normal(4 * (i % 2), 1, 3), i % 2) for i in range(N)]


def test_bad_items_of_a_torch_data_set_are_named():
    class Endless(torch.utils.data.IterableDataset):  # type: ignore[type-arg]
        def __iter__(self):
            return iter([])

    with pytest.raises(lp.BadInput, match="has no length"):
        lp.audit(Endless())
    with pytest.raises(lp.BadInput, match="item 0 of the frame is a tuple, not a pair"):
        lp.audit(torch.utils.data.TensorDataset(torch.zeros(4, 2)))
    with pytest.raises(lp.BadInput, match=r"y of item 0 has shape \(2,\)"):
        lp.audit(torch.utils.data.TensorDataset(torch.zeros(4, 3), torch.zeros(4, 2)))
    with pytest.raises(lp.BadInput, match="x of item 1 has shape"):
        lp.audit([(np.zeros(2), 0), (np.zeros(3), 1)])
    with pytest.raises(lp.BadInput, match=r"no columns to name. Omit label, image"):
        lp.audit([(np.zeros(2), 0), (np.zeros(2), 1)], label="y", image="x")


# AnnData


def cells(n: int = 40) -> anndata.AnnData:
    rng = np.random.default_rng(0)
    counts = rng.poisson(1.0, (n, 12)).astype(np.float32)
    counts[:, -1] = rng.poisson(np.where(np.arange(n) % 2, 30, 0.1))
    kind = pd.Categorical.from_codes([-1 if i == 3 else i % 2 for i in range(n)], ["astro", "micro"])
    return anndata.AnnData(counts, obs=pd.DataFrame({"kind": kind, "batch": "b"}, index=[f"cell{i}" for i in range(n)]))


def test_cells(tmp_path):
    own = cells()
    found = lp.audit(own, np.where(np.eye(2, dtype=bool)[np.arange(40) % 2], 0.9, 0.1), label="kind")
    assert set(found.issues["id"]) == {f"cell{i}" for i in range(40) if i != 3}
    joined = found.join(own)
    assert isinstance(joined, anndata.AnnData)
    assert "verdict" not in own.obs
    assert joined.obs.columns.tolist() == ["kind", "batch", *COLUMNS]
    assert joined.obs["given_label"].astype(object).fillna("-").tolist() == own.obs["kind"].astype(object).fillna("-").tolist()
    joined.write_h5ad(tmp_path / "found.h5ad")
    assert anndata.read_h5ad(tmp_path / "found.h5ad").obs["error_probability"].isna().tolist() == [i == 3 for i in range(40)]
    assert found.join(own[::2]).n_obs == 20
    assert lp.read_frame(own, "kind").x.shape == (40, 12)
    with pytest.raises(lp.BadInput, match="Did you mean 'kind'"):
        lp.audit(own, label="kin")
    with pytest.raises(lp.BadInput, match="Name the column of obs that holds the labels"):
        lp.audit(own)
    with pytest.raises(lp.BadInput, match="Omit text"):
        lp.audit(own, label="kind", text="batch")


def test_cells_with_a_name_twice_go_by_their_number():
    own = cells()
    own.obs_names = ["cell"] * 40
    with pytest.warns(lp.LabelproofWarning, match="'cell' twice or more"):
        data = lp.read_frame(own, "kind")
    assert data.ids.tolist() == list(range(40))


# everything else


def test_what_is_no_frame(frame):
    with pytest.raises(lp.BadInput, match=r"frame is a list. Give a polars or pandas DataFrame"):
        lp.audit([1, 2], label="kind")
    with pytest.raises(lp.BadInput, match="or a frame and label="):
        lp.audit(frame.to_pandas())
    with pytest.raises(lp.BadInput, match="or a frame and label="):
        lp.audit(frame["kind"])


def test_of_several_sites_an_item_joins_what_is_found_of_the_item():
    tags = np.array([[1, 0], [0, 1]] * 20)
    found = lp.audit(lp.Tags(tags, names=["sea", "sky"]), np.where(tags == 1, 0.9, 0.1), ids=[f"n{i}" for i in range(40)])
    own = pl.DataFrame({"name": [f"n{i}" for i in reversed(range(40))]})
    joined = found.join(own, ids="name")
    assert joined.columns == ["name", "error_probability"]
    assert joined["error_probability"].to_list() == found.items["error_probability"].to_list()[::-1]
