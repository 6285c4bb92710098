"""Format 1: digests computed by the letter of docs/reference/format.md, and some written down."""

import datetime as dt
import struct
from hashlib import sha256

import pyarrow as pa

from mlkit._core.hashing import digest_bytes, hex_of
from mlkit.data.identity import identify
from mlkit.data.storing.file_contents import files_digest
from mlkit.objects.manifest import FileEntry, Source


def digest_of(*parts):
    return sha256(b"".join(parts)).digest()


def u64(number):
    return struct.pack("<Q", number)


def named(text):
    return u64(len(text.encode())) + text.encode()


def level(values, streams):
    nulls = b"".join(u64(number) for number, value in enumerate(values) if value is None)
    present = [value for value in values if value is not None]
    return digest_of(u64(len(values)), digest_of(nulls), *streams(present))


def fixed(code):
    return lambda values: [digest_of(*(struct.pack(code, value) for value in values))]


def texts(values):
    raw = [value.encode() for value in values]
    return [digest_of(*(struct.pack("<I", len(one)) for one in raw)), digest_of(*raw)]


def moments(values):
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    micros = [round((value - epoch) / dt.timedelta(microseconds=1)) for value in values]
    seconds = [int(micro / 10**6) for micro in micros]
    rest = [1000 * (m - 10**6 * s) for m, s in zip(micros, seconds, strict=True)]
    return [
        digest_of(*(struct.pack("<q", second) for second in seconds)),
        digest_of(*(struct.pack("<i", nanos) for nanos in rest)),
    ]


def lists(items):
    def streams(values):
        lengths = digest_of(*(struct.pack("<I", len(value)) for value in values))
        return [lengths, level([item for value in values for item in value], items)]

    return streams


def structs(**fields):
    return lambda values: [
        level([value[name] for value in values], streams) for name, streams in fields.items()
    ]


COLUMNS = {
    "n": ([1, None, -3], pa.int64(), "int64", fixed("<q")),
    "f": ([1.5, None, -0.0], pa.float64(), "float64", fixed("<d")),
    "b": ([True, False, None], pa.bool_(), "bool", fixed("<B")),
    "s": (["a", None, "日本"], pa.string(), "string", texts),
    "t": (
        [
            dt.datetime(2013, 1, 1, 5, 0, 0, 7, tzinfo=dt.UTC),
            None,
            dt.datetime(1969, 12, 31, 23, 59, 58, 500_000, tzinfo=dt.UTC),
        ],
        pa.timestamp("us", "UTC"),
        "timestamp[UTC]",
        moments,
    ),
    "l": ([[1, None], None, []], pa.list_(pa.int8()), "list<int8>", lists(fixed("<b"))),
    "o": (
        [{"p": 1, "q": None}, None, {"p": None, "q": "x"}],
        pa.struct([("p", pa.int32()), ("q", pa.string())]),
        'struct<"p": int32, "q": string>',
        structs(p=fixed("<i"), q=texts),
    ),
}


def test_tables_are_identified_by_the_letter_of_the_format():
    table = pa.table({name: pa.array(c[0], type=c[1]) for name, c in COLUMNS.items()})
    expected = {
        name: digest_of(b"mlkit column 1\n", named(name), named(text), level(values, streams))
        for name, (values, _, text, streams) in COLUMNS.items()
    }
    found = identify(table)
    assert {name: hex_of(digest) for name, digest in found.columns.items()} == {
        name: digest.hex() for name, digest in expected.items()
    }
    whole = digest_of(b"mlkit table 1\n", u64(3), u64(len(expected)), *expected.values())
    assert hex_of(found.digest) == whole.hex()


def test_files_are_identified_by_the_letter_of_the_format():
    entry = FileEntry("a/b.txt", 3, digest_bytes(b"abc"))
    whole = digest_of(b"mlkit folder 1\n", named("a/b.txt"), u64(3), digest_of(b"abc"))
    assert hex_of(files_digest("folder", [entry])) == whole.hex()


def test_references_are_identified_by_the_letter_of_the_format():
    entry = FileEntry("a", 3, "", (), Source("s3://b/a", etag="e"))
    said = named("s3://b/a") + named("e") + named("") + named("")
    whole = digest_of(b"mlkit reference 1\n", named("a"), u64(3), said)
    assert hex_of(files_digest("reference", [entry])) == whole.hex()


def test_a_digest_of_the_first_release_stays():
    table = pa.table({"carrier": ["UA", None], "delay": [1.5, -2.0]})
    assert (
        identify(table).digest
        == "sha256:b1300e65f49d9601088cce6132640a3007506223b35eb1817b2a1150f2e99a48"
    )
