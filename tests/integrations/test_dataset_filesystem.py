"""`mlkit://`: tools that know fsspec read versions in place, and change nothing."""

import gc
import multiprocessing
import pickle

import fsspec
import pandas as pd
import pytest

import mlkit
from mlkit.errors import Corrupt, ReadOnly
from mlkit.integrations.dataset_filesystem import DatasetFileSystem

FRAME = pd.DataFrame({"a": range(1000), "b": ["x", "y"] * 500})
ODD = [
    "a#b.txt",
    "a:b@c.txt",
    "100%.txt",
    "a%20b.txt",
    "sp ace.txt",
    "q?x[1]*.txt",
    "ü.txt",
    "&=+.txt",
]


@pytest.fixture
def store(tmp_path):
    root = tmp_path / "files"
    (root / "sub" / "deep").mkdir(parents=True)
    FRAME.to_parquet(root / "p.parquet")
    FRAME.to_parquet(root / "sub" / "q.parquet")
    FRAME.to_csv(root / "c.csv", index=False)
    (root / "sub" / "deep" / "x.txt").write_text("deep")
    for name in ODD:
        (root / name).write_text(name)
    store = mlkit.set_store(tmp_path / "store")
    store.log_dataset("files", root)
    store.log_dataset("table", FRAME)
    return store


@pytest.fixture
def fs(store):
    return fsspec.filesystem("mlkit", store=store)


def test_fsspec_finds_it_by_its_name(store):
    assert isinstance(fsspec.filesystem("mlkit"), DatasetFileSystem)
    found, path = fsspec.url_to_fs("mlkit://files:1/c.csv")
    assert (type(found), path) == (DatasetFileSystem, "files:1/c.csv")


@pytest.mark.parametrize("options", ["none", "url", "store"])
def test_the_store_is_the_default_one_or_is_named(store, options, tmp_path):
    named = {"none": {}, "url": {"store": store.url}, "store": {"store": store}}[options]
    if options != "none":
        mlkit.set_store(tmp_path / "other")
    with fsspec.open("mlkit://files/sub/deep/x.txt", **named) as file:
        assert file.read() == b"deep"


def test_the_default_store_is_looked_up_anew_by_each_filesystem(store, tmp_path):
    assert fsspec.filesystem("mlkit").exists("files")
    mlkit.set_store(tmp_path / "other")
    assert not fsspec.filesystem("mlkit").exists("files")


def test_folders_list_what_is_in_them(fs):
    assert fs.ls("", detail=False) == ["files", "table"]
    assert fs.ls("mlkit://files:1/sub/", detail=False) == [
        "files:1/sub/deep",
        "files:1/sub/q.parquet",
    ]
    assert fs.ls("files/c.csv", detail=False) == ["files/c.csv"]
    assert fs.find("files/sub") == ["files/sub/deep/x.txt", "files/sub/q.parquet"]
    assert fs.glob("files:1/**/*.parquet") == ["files:1/p.parquet", "files:1/sub/q.parquet"]
    assert len(fs.find("files")) == 4 + len(ODD)
    assert fs.du("files/sub/deep") == 4
    assert [fs.isdir(path) for path in ("", "files", "files:1/sub", "files/c.csv")] == [
        True
    ] * 3 + [False]
    assert fs.isfile("table/data.parquet")
    assert [fs.exists(path) for path in ("files/s", "files/sub/dee", "nothing")] == [False] * 3


def test_a_file_is_described_with_its_digest(fs, store):
    [entry] = [file for file in store.dataset("files").files() if file.path == "c.csv"]
    about = fs.info("files/c.csv")
    assert (about["size"], about["digest"], about["version"]) == (
        entry.size,
        entry.digest,
        "files:1",
    )
    assert fs.ukey("files/c.csv") == fs.ukey("files:1/c.csv") == entry.digest
    assert fs.ukey("table") != fs.ukey("files")
    assert isinstance(fs.checksum("files/c.csv"), int)
    assert fs.modified("files/c.csv") == fs.created("files/c.csv")


@pytest.mark.parametrize("name", ODD)
def test_names_with_odd_characters_are_read_as_they_are(fs, store, name):
    assert fs.cat_file(f"files:1/{name}").decode() == name
    assert fs.info(f"files:1/{name}")["size"] == len(name.encode())
    with fsspec.open(f"mlkit://files:1/{name}", store=store) as file:
        assert file.read().decode() == name


def test_every_form_of_reference_can_be_read(fs, store):
    version = store.dataset("files")
    store.datasets["files"].promote(1, "gold")
    digits = version.digest.partition(":")[2][:8]
    for reference in ("files", "files@latest", "files:1", "files@gold", f"files#{digits}"):
        assert fs.cat_file(f"{reference}/sub/deep/x.txt") == b"deep"


def test_under_a_moving_alias_an_instance_reads_one_version_and_the_next_one_the_next(fs, store):
    assert fs.info("table")["type"] == "directory"
    store.log_dataset("table", FRAME.head(3))
    assert len(pd.read_parquet(fs.open("table/data.parquet"))) == 1000
    copy = pickle.loads(pickle.dumps(fs))
    assert len(pd.read_parquet(copy.open("table/data.parquet"))) == 1000
    assert len(pd.read_parquet("mlkit://table/data.parquet")) == 3


def test_ranges_are_read_alone(fs):
    whole = fs.cat_file("files/c.csv")
    assert fs.cat_file("files/c.csv", 2, 7) == whole[2:7]
    assert fs.cat_file("files/c.csv", -5) == whole[-5:]
    assert fs.cat_file("files/c.csv", 5, -5) == whole[5:-5]
    assert fs.cat_file("files/c.csv", 9, 3) == b""
    assert fs.cat_ranges(["files/c.csv"] * 2, [0, 3], [3, 9]) == [whole[:3], whole[3:9]]
    assert fs.head("files/c.csv", 3) == whole[:3]
    assert fs.tail("files/c.csv", 3) == whole[-3:]


def test_blocks_are_read_by_what_asks_a_file_for_its_size(fs):
    whole = fs.cat_file("files/c.csv")
    assert fs.open("files/c.csv").size == len(whole)
    assert fs.read_block("files/c.csv", 2, 4) == whole[2:6]
    assert fs.read_block("files/c.csv", 0, None) == whole
    assert fs.read_block("files/c.csv", 5, 10, delimiter=b"\n").endswith(b"\n")


# fsspec leaves the file in which it keeps blocks to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("cache", ["blockcache", "simplecache", "filecache"])
def test_caches_of_fsspec_read_files_through(store, tmp_path, cache):
    options = {"mlkit": {"store": store.url}, cache: {"cache_storage": str(tmp_path / cache)}}
    whole = fsspec.filesystem("mlkit", store=store).cat_file("files/p.parquet")
    for _ in range(2):
        with fsspec.open(f"{cache}::mlkit://files:1/p.parquet", **options) as file:
            file.seek(10)
            assert file.read(20) == whole[10:30]
            file.seek(0)
            assert file.read() == whole
        del file
    gc.collect()


def test_files_are_copied_out(fs, tmp_path):
    fs.get("files:1/", str(tmp_path / "out"), recursive=True)
    assert (tmp_path / "out" / "sub" / "deep" / "x.txt").read_text() == "deep"
    assert {name for name in ODD if (tmp_path / "out" / name).read_text() == name} == set(ODD)


def test_a_version_of_one_file_opens_by_its_reference_alone(store, tmp_path):
    (tmp_path / "one.csv").write_text("x,y\n1,2\n")
    store.log_dataset("one", {"x": [1]})
    with fsspec.open("mlkit://one") as file:
        assert file.read(4) == b"PAR1"
    with pytest.raises(IsADirectoryError):
        fsspec.open("mlkit://files").open()
    with pytest.raises(IsADirectoryError):
        fsspec.open("mlkit://files/sub").open()


@pytest.mark.parametrize(
    "act",
    [
        lambda fs: fs.open("files:1/new", "wb"),
        lambda fs: fs.open("files:1/c.csv", "ab"),
        lambda fs: fs.open("files:1/c.csv", "w"),
        lambda fs: fs.rm("files:1/c.csv"),
        lambda fs: fs.rm("files", recursive=True),
        lambda fs: fs.mv("files/c.csv", "files/d.csv"),
        lambda fs: fs.cp("files/c.csv", "files/d.csv"),
        lambda fs: fs.mkdir("new"),
        lambda fs: fs.makedirs("new/one"),
        lambda fs: fs.rmdir("files/sub"),
        lambda fs: fs.touch("files/c.csv"),
        lambda fs: fs.pipe("files/c.csv", b"x"),
        lambda fs: fs.put("c.csv", "files/c.csv"),
        lambda fs: fs.write_text("files/c.csv", "x"),
    ],
)
def test_nothing_can_be_written(fs, act):
    before = fs.find("files")
    with pytest.raises(ReadOnly, match="versions are immutable"):
        act(fs)
    assert fs.find("files") == before


def test_what_is_missing_is_a_file_that_is_not_found(fs):
    for path in ("files:1/c.cs", "files:9/c.csv", "fils/c.csv", "no name/c.csv", "files/c.csv/x"):
        with pytest.raises(FileNotFoundError):
            fs.info(path)
        with pytest.raises(FileNotFoundError):
            fs.open(path)
    with pytest.raises(FileNotFoundError, match="Did you mean 'files'"):
        fs.ls("fils")


def test_damage_is_never_read(fs, store, tmp_path):
    for pack in (tmp_path / "store" / "packs").rglob("*"):
        if pack.is_file():
            data = bytearray(pack.read_bytes())
            data[: len(data) // 2] = bytes(len(data) // 2)
            pack.write_bytes(data)
    with pytest.raises(Corrupt):
        pd.read_csv("mlkit://files/c.csv")


def test_pandas_reads_in_place(store):
    assert pd.read_parquet("mlkit://files:1/p.parquet").equals(FRAME)
    assert pd.read_csv("mlkit://files/c.csv", storage_options={"store": store.url}).equals(FRAME)
    few = pd.read_parquet("mlkit://table:1", columns=["a"], filters=[("a", "<", 5)])
    assert few["a"].tolist() == [0, 1, 2, 3, 4]


def test_pyarrow_reads_in_place(fs):
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    assert pq.read_table("table:1/data.parquet", filesystem=fs).num_rows == 1000
    parts = ds.dataset("files:1", filesystem=fs, format="parquet", exclude_invalid_files=True)
    assert parts.to_table(columns=["b"]).num_rows == 2000


def test_polars_reads_in_place(fs):
    import polars as pl
    import pyarrow.dataset as ds

    with fs.open("table:1/data.parquet") as file:
        assert pl.read_parquet(file).shape == (1000, 2)
    with fs.open("files/c.csv") as file:
        assert pl.read_csv(file).shape == (1000, 2)
    lazy = pl.scan_pyarrow_dataset(ds.dataset("table:1", filesystem=fs))
    assert lazy.filter(pl.col("a") < 5).collect().shape == (5, 2)


def test_duckdb_reads_in_place(fs):
    import duckdb

    with duckdb.connect() as connection:
        connection.register_filesystem(fs)
        for query, rows in (
            ("select sum(a) from 'mlkit://table:1/data.parquet' where a < 10", 45),
            ("select count(*) from 'mlkit://files:1/**/*.parquet'", 2000),
            ("select count(*) from read_csv('mlkit://files:1/c.csv')", 1000),
        ):
            assert connection.sql(query).fetchall() == [(rows,)]


class Images:
    """What a loader of torch takes: it goes to each worker by pickle."""

    def __init__(self, fs, paths):
        self.fs, self.paths = fs, paths

    def __getitem__(self, number):
        return self.fs.cat_file(self.paths[number])


def _worker(data, numbers, results):
    results.put([(number, data[number]) for number in numbers])


def test_workers_of_a_loader_read_in_place(store):
    fs = fsspec.filesystem("mlkit")
    paths = [f"files/{name}" for name in ODD]
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [
        context.Process(target=_worker, args=(Images(fs, paths), range(at, len(ODD), 2), results))
        for at in range(2)
    ]
    for worker in workers:
        worker.start()
    found = dict(pair for _ in workers for pair in results.get())
    for worker in workers:
        worker.join()
    assert [found[number].decode() for number in range(len(ODD))] == ODD


def test_a_folder_of_many_files_is_looked_at_in_few_steps():
    import pyarrow as pa

    from mlkit.integrations.file_tree import FileTree
    from mlkit.objects.manifest import Manifest, schema

    count = 100_000
    paths = sorted(f"{number % 10}/{number}" for number in range(count))
    blank = {name: pa.nulls(count, schema().field(name).type) for name in ("chunks", "source")}
    digests = pa.nulls(count, pa.binary(32))
    table = pa.table({"path": paths, "size": [1] * count, "digest": digests, **blank})
    tree = FileTree(Manifest(table))
    looks = []
    look = tree._path
    tree._path = lambda row: looks.append(row) or look(row)
    assert [node.path for node in tree.children("")] == [str(digit) for digit in range(10)]
    assert tree.find("7/7").size == 1
    assert tree.find("7").size is None
    assert tree.find("7/") is None
    assert len(looks) < 500
