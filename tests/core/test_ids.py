import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit._core.clock import iso, now_ns, parse_iso
from mlkit._core.hashing import Hasher, digest_bytes, digest_file, hex_of
from mlkit._core.ids import is_uuid7, only_uuid7, token, uuid7
from mlkit._core.settings import cache_dir, default_store_url, spool_dir
from mlkit.errors import Corrupt, InvalidInput

times = st.integers(min_value=0, max_value=4_000_000_000_000_000_000)


@given(times, times)
def test_run_ids_sort_by_their_time(a, b):
    first, second = (uuid7(ns, random=bytes) for ns in sorted((a, b)))
    assert first <= second


@given(times, st.binary(min_size=8, max_size=8))
def test_every_run_id_is_a_uuid_of_version_7(ns, noise):
    assert is_uuid7(uuid7(ns, random=lambda _: noise))


def test_ids_differ():
    assert len({uuid7(now_ns()) for _ in range(1000)}) == 1000
    assert len({token() for _ in range(1000)}) == 1000


@given(times)
def test_a_time_comes_back_to_the_microsecond(ns):
    assert parse_iso(iso(ns)) == ns // 1000 * 1000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-31", 1769817600),
        ("2026-01-31T12:00:00+02:00", 1769853600),
        ("2026-01-31 10:00", 1769853600),
    ],
)
def test_times_are_read_in_utc_unless_they_say_otherwise(text, seconds):
    assert parse_iso(text) == seconds * 1_000_000_000


def test_what_is_no_time_is_refused():
    with pytest.raises(InvalidInput, match="'soon' is not a time"):
        parse_iso("soon")


@given(st.lists(st.binary()))
def test_pieces_have_the_digest_of_the_whole(pieces):
    hasher = Hasher()
    for piece in pieces:
        hasher.update(piece)
    assert hasher.digest == digest_bytes(b"".join(pieces))


def test_a_file_has_the_digest_of_its_bytes(tmp_path):
    (tmp_path / "x").write_bytes(b"abc" * 1_000_000)
    assert digest_file(tmp_path / "x") == digest_bytes(b"abc" * 1_000_000)


@pytest.mark.parametrize(
    "text", ["", "abc", "sha256:../../x", "md5:" + "0" * 64, "sha256:" + "G" * 64]
)
def test_what_is_no_digest_never_becomes_a_path(text):
    with pytest.raises(Corrupt):
        hex_of(text)


def test_the_environment_says_where_things_are(monkeypatch, tmp_path):
    monkeypatch.setenv("MLKIT_STORE", "s3://bucket/x")
    monkeypatch.setenv("MLKIT_CACHE", str(tmp_path / "c"))
    monkeypatch.setenv("MLKIT_SPOOL", str(tmp_path / "s"))
    assert default_store_url() == "s3://bucket/x"
    assert (cache_dir(), spool_dir()) == (tmp_path / "c", tmp_path / "s")


def test_without_a_word_things_are_in_the_user_s_folders(monkeypatch, tmp_path):
    for name in ("MLKIT_STORE", "MLKIT_CACHE", "MLKIT_SPOOL", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_store_url() == ".mlkit"
    assert cache_dir() == tmp_path / ".cache" / "mlkit"
    assert spool_dir() == tmp_path / ".local" / "state" / "mlkit" / "spool"
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    monkeypatch.setenv("XDG_STATE_HOME", "/s")
    assert str(cache_dir()) == "/c/mlkit"
    assert str(spool_dir()) == "/s/mlkit/spool"


@given(
    st.lists(st.one_of(st.builds(uuid7, st.integers(0, 2**60)), st.text(max_size=40)), max_size=6)
)
def test_many_ids_are_told_from_other_names_as_each_alone_is(texts):
    assert only_uuid7(texts) == [text for text in texts if is_uuid7(text)]


@pytest.mark.parametrize("place", range(36))
@pytest.mark.parametrize("char", ["-", "0", "8", "f", "g", "F", "\n", "é"])
def test_one_wrong_character_among_many_ids_is_found(place, char):
    good = uuid7(1_700_000_000_123_456_789)
    odd = good[:place] + char + good[place + 1 :]
    assert only_uuid7([good, odd, good]) == [text for text in [good, odd, good] if is_uuid7(text)]
