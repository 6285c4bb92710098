"""Every error is caught by the root of the tree and by its builtin, and crosses processes whole."""

import inspect
import pickle

import pytest

from mlkit import errors

TREE = [
    member
    for _, member in inspect.getmembers(errors, inspect.isclass)
    if issubclass(member, errors.MlkitError)
]
BUILTINS = {
    "AlreadyExists": FileExistsError,
    "Corrupt": ValueError,
    "DataRefused": ValueError,
    "FilterSyntax": ValueError,
    "GateRefused": RuntimeError,
    "InvalidInput": ValueError,
    "InvalidName": ValueError,
    "MissingExtra": ImportError,
    "MlkitError": Exception,
    "NewerFormat": RuntimeError,
    "NoActiveRun": RuntimeError,
    "NotAStore": KeyError,
    "NotFound": KeyError,
    "ReadOnly": PermissionError,
    "RunFinished": RuntimeError,
    "SchemaMismatch": ValueError,
    "SingleWriterOnly": OSError,
    "StorageFault": OSError,
    "Untrusted": PermissionError,
}


def named(error):
    return error.__name__


@pytest.mark.parametrize("error", TREE, ids=named)
def test_an_error_survives_pickling(error):
    before = error("It broke", hint="Mend it")
    after = pickle.loads(pickle.dumps(before))
    assert type(after) is error
    assert str(after) == str(before) == "It broke. Mend it"
    assert vars(after) == vars(before)


@pytest.mark.parametrize("error", TREE, ids=named)
def test_an_error_is_also_the_builtin_that_a_caller_would_expect(error):
    assert issubclass(error, BUILTINS[named(error)])


@pytest.mark.parametrize("error", TREE, ids=named)
def test_an_error_says_in_its_docstring_what_it_means(error):
    assert error.__doc__
    assert error.__doc__ != errors.MlkitError.__doc__ or error is errors.MlkitError


def test_kinds_are_stable_names_that_no_two_errors_share():
    kinds = [error.kind for error in TREE]
    assert all(isinstance(kind, str) and kind for kind in kinds)
    assert len(set(kinds)) == len(kinds)


def test_the_module_exports_the_whole_tree():
    assert set(errors.__all__) >= {named(error) for error in TREE}
