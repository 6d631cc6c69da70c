"""Fixtures. What a machine lacks makes a test skip with the reason, or fail where LABELPROOF_REQUIRE names it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

if "PYTEST_XDIST_WORKER" in os.environ:  # as many processes as cores: one thread each
    os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAY_worker_niceness", "0")  # its processes wait behind all others by default

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_digits

import labelproof as lp
from labelproof.extras import is_installed

NEEDED = {  # what cannot even be imported without a package; single tests have the mark "needs"
    "torch": [
        "losses", "methods", "data/test_frame.py", "data/test_picture_rows.py", "estimators/test_adversaries.py",
        "estimators/test_captioner.py", "estimators/test_instance_pooling.py", "estimators/test_likelihoods.py",
        "estimators/test_mislabeled_module.py", "estimators/test_mislabeled_vae.py", "estimators/test_nl_gan.py",
        "estimators/test_noise_network.py", "estimators/test_noisy_label_classifier.py",
        "estimators/test_noisy_tag_classifier.py", "estimators/test_saved.py", "estimators/test_scikit_learn.py",
        "estimators/test_soft_labels.py", "networks/test_networks.py", "networks/encoders/test_efficientnet_lite.py",
        "networks/encoders/test_every_encoder.py", "networks/encoders/test_minilm.py", "test_captioning_cli.py",
        "test_encoder_cli.py", "test_m_vae_study.py", "test_nl_gan_study.py", "test_nmn_study.py", "test_random_state.py",
        "test_scenes.py", "test_training_cli.py", "training/test_augmentation.py", "training/test_flat.py", "training/test_history.py",
        "training/test_loop.py",
    ],
    "anndata": ["data/test_cells.py", "data/test_frame.py"],
    "datasets": ["data/test_frame.py"],
    "openpyxl": ["data/test_workbooks.py"],
    "cosmic_ray": ["mutants"],
    "ray": ["distributed"],
    "yaml": ["test_guides.py"],
}  # fmt: skip
collect_ignore = ["golden"]  # a script of its own, see its README
collect_ignore += [place for package, places in NEEDED.items() if not is_installed(package) for place in places]


def pytest_xdist_auto_num_workers() -> int:
    """As many as there are cores to be had, which a container may show more of; each takes a gigabyte."""
    return int(min(joblib.cpu_count(), 4))


def pytest_configure(config: pytest.Config) -> None:
    """Parse no sources for tracebacks where two threads that do so break each other (python/cpython issue 106905)."""
    if sys.version_info < (3, 11, 8):
        config.option.tbstyle = "native"


@pytest.fixture(scope="session", autouse=True)
def _features_kept_apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The cache of features in a folder of this run, which all its processes share."""
    base = tmp_path_factory.getbasetemp()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABELPROOF_CACHE", str((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "features"))
        yield


def _absent(what: str, reason: str) -> None:
    if what in os.environ.get("LABELPROOF_REQUIRE", "").split(","):
        pytest.fail(f"LABELPROOF_REQUIRE names {what}, but {reason}")
    pytest.skip(reason)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a package that this environment lacks, as one with the core alone."""
    for package in (name for mark in item.iter_markers("needs") for name in mark.args):
        if not is_installed(package):
            _absent(package, f"{package} is not installed")


@pytest.fixture(scope="session")
def absent() -> Callable[[str, str], None]:
    """Skips a test, or fails it where LABELPROOF_REQUIRE names what is absent."""
    return _absent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets."""
    folder = os.environ.get("LABELPROOF_DATA")
    if not folder or not Path(folder).is_dir():
        _absent("data", "LABELPROOF_DATA names no folder of real data")
    return Path(str(folder))


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real headless Chromium."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None or not is_installed("playwright"):
        _absent("browser", "no Chromium is installed, or no playwright")
    from playwright.sync_api import sync_playwright

    flags = (
        "--no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update --disable-sync"
    )
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=flags.split())
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page in a browser of its own."""
    contexts = []

    def open_(link: str, width: int = 1280, scheme: str = "light", **options: Any) -> Any:
        contexts.append(
            browser.new_context(
                viewport={"width": width, "height": 860 if width > 600 else 844}, color_scheme=scheme, **options
            )
        )
        page = contexts[-1].new_page()
        page.problems = []
        page.on("console", lambda m: page.problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: page.problems.append(str(e)))
        page.goto(link)
        return page

    yield open_
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def noisy_problem() -> Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Labels, probabilities and the mask of wrong labels, of a classifier that is good but not perfect."""

    def make(n: int = 600, k: int = 4, rate: float = 0.15, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        true = rng.integers(0, k, n)
        logits = rng.normal(0, 1, (n, k)) + 4.0 * np.eye(k)[true]
        probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        noisy = lp.simulate.pair(true, rate, n_classes=k, random_state=seed)
        return noisy.labels, probs, noisy.changed

    return make


@pytest.fixture(scope="session")
def digits() -> Any:
    """scikit-learn's scanned digits."""
    return load_digits()
