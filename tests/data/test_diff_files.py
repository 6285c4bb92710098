"""Files that were added, removed, changed and renamed."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from mlkit.data.comparing.file_diff import file_diff
from mlkit.objects.manifest import FileEntry, Manifest, Source

FILES = st.dictionaries(
    st.sampled_from(["a", "b", "c/a", "c/b", "d/a", "e"]), st.integers(0, 3), max_size=6
)


def entry(path, content):
    return FileEntry(path, content * 5, "sha256:" + f"{content}" * 64)


def manifest(files):
    return Manifest.of([entry(path, content) for path, content in files.items()])


@given(FILES, FILES)
def test_what_became_of_each_file_is_told_once(old, new):
    found = file_diff(manifest(old), manifest(new))
    gone, come = [a for a, _ in found.renamed], [b for _, b in found.renamed]
    assert sorted([*found.removed, *gone]) == sorted(old.keys() - new.keys())
    assert sorted([*found.added, *come]) == sorted(new.keys() - old.keys())
    assert found.changed == tuple(sorted(p for p in old.keys() & new.keys() if old[p] != new[p]))
    assert all(old[a] == new[b] for a, b in found.renamed)
    left = Counter(old[path] for path in found.removed if old[path])
    assert not left & Counter(new[path] for path in found.added)  # none that could be a pair


def test_the_same_name_in_another_folder_is_taken_first():
    found = file_diff(manifest({"x/cat": 1, "x/dog": 1}), manifest({"y/dog": 1, "y/owl": 1}))
    assert found.renamed == (("x/cat", "y/owl"), ("x/dog", "y/dog"))


def test_empty_files_are_never_renamed_ones():
    found = file_diff(manifest({"a": 0}), manifest({"b": 0}))
    assert (found.removed, found.added, found.renamed) == (("a",), ("b",), ())


def recorded(path, etag, modified="then"):
    return FileEntry(path, 5, "", (), Source(f"s3://b/{path}", etag, None, modified))


def test_files_of_references_are_found_again_by_their_etag():
    old = Manifest.of([recorded("a", "e1"), recorded("b", None), recorded("c", "e3")])
    new = Manifest.of([recorded("x", "e1"), recorded("y", None), recorded("c", "e4")])
    found = file_diff(old, new)
    assert found.renamed == (("a", "x"),)
    assert (found.removed, found.added, found.changed) == (("b",), ("y",), ("c",))


def test_a_mark_that_one_side_lacks_is_a_change():
    old, new = (Manifest.of([recorded("a", "e", modified)]) for modified in (None, "now"))
    assert file_diff(old, new).changed == ("a",)
    assert file_diff(old, old).changed == ()


def test_a_file_that_moved_is_told_in_words(datasets, folder):
    old = datasets.log("images", folder)
    (folder / "a.txt").rename(folder / "b<i>.txt")
    found = old.diff(datasets.log("images", folder))
    assert found.files_renamed == (("a.txt", "b<i>.txt"),)
    assert not found.same
    assert "files renamed: a.txt -> b<i>.txt" in str(found)
    assert "a.txt -&gt; b&lt;i&gt;.txt" in found._repr_html_()
