"""The review page in a real browser: by keyboard from an audit to a repaired data set, and through the death of the server."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import labelproof as lp
from browsing import decide_by_keyboard, picture_of, shown_item, until, wait_until_saved
from commands import run

EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


def command(*arguments):
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def digits_problem():
    """MNIST's test digits and out-of-sample probabilities where the real data are; scikit-learn's elsewhere."""
    folder = os.environ.get("LABELPROOF_DATA")
    if folder:
        probs = np.load(Path(folder) / "mnist_test_reviews.npz")["mnist.pred_probs"][:2000]
        mnist = np.load(Path(folder) / "mnist.npz")
        pictures, true = mnist["x_test"][:2000], mnist["y_test"][:2000].astype(int)
        probs = 0.98 * probs + 0.002  # the model was trained on nearly the same pictures and is too sure
    else:
        from sklearn.datasets import load_digits

        pictures, true = (load_digits().images * 15).astype(np.uint8), load_digits().target
        rng = np.random.default_rng(0)
        probs = np.exp(3 * np.eye(10)[true] + rng.normal(0, 0.7, (len(true), 10)))
        probs /= probs.sum(axis=1, keepdims=True)
    return pictures, lp.simulate.symmetric(true, 0.08, n_classes=10, random_state=3), true, probs


@pytest.mark.slow
def test_from_audit_to_repaired_data_through_a_killed_server(digits_problem, open_page, serve, tmp_path):
    pictures, noisy, true, probs = digits_problem
    np.save(tmp_path / "x.npy", pictures)
    np.save(tmp_path / "y.npy", noisy.labels)
    np.save(tmp_path / "p.npy", probs)
    files = ["--features", tmp_path / "x.npy", "--labels", tmp_path / "y.npy"]
    audit = tmp_path / "digits"
    command("audit", *files, "--pred-probs", tmp_path / "p.npy", "--out", audit)

    served = serve(audit, "--budget", 60, "--reviewer", "Ann", "--port", 0, forked=False)
    page = open_page(served.link)
    assert "token" not in page.url
    answered = [decide_by_keyboard(page, true) for _ in range(30)]
    assert len(set(answered)) == 30
    wait_until_saved(page)
    page.keyboard.press("z")
    assert shown_item(page, page.locator("#item-id").inner_text()) == answered[-1]
    page.keyboard.press("z")
    assert shown_item(page, answered[-1]) == answered[-2]
    until(page, "document.getElementById('count').textContent.startsWith('28 of 60')")
    until(
        page,
        "!document.getElementById('similar').hidden && [...document.querySelectorAll('.similar img')].every(image => image.naturalWidth > 0)",
    )
    until(page, "document.getElementById('rate').textContent")
    picture_of(page, "review")
    assert page.problems == []
    page.context.close()
    served.kill()

    again = serve(audit, "--budget", 60, "--reviewer", "Ann", "--port", 0)
    page = open_page(again.link, width=390, scheme="dark")
    first = shown_item(page)
    assert first not in answered[:28]
    until(page, "document.getElementById('count').textContent.startsWith('28 of 60')")
    until(
        page,
        "!document.getElementById('similar').hidden && [...document.querySelectorAll('.similar img')].every(image => image.naturalWidth > 0)",
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    picture_of(page, "review-phone")
    taken = page.locator("#keep strong").inner_text()
    page.locator("#keep").click()
    wait_until_saved(page)
    assert page.problems == []
    again.stop()

    print(command("apply", audit, "--out", tmp_path / "clean.csv"))
    clean = pl.read_csv(tmp_path / "clean.csv")
    known = [int(item) for item in answered[:28]]
    assert clean["label"].to_numpy()[known].tolist() == true[known].tolist()
    assert clean["label"][int(first)] == int(taken)
    changed = (clean["label"] != clean["label_given"]).to_numpy()
    assert set(np.flatnonzero(changed)) == {i for i in known if noisy.labels[i] != true[i]}
    assert clean.filter(changed)["label_change"].str.starts_with("reviewed by Ann; was ").all()
    assert np.array_equal(np.load(tmp_path / "y.npy"), noisy.labels)

    printed = command("train", *files, "--reviews", audit, "--epochs", 1, "--out", tmp_path / "model")
    assert "Trained with" in printed
    found = pl.read_parquet(tmp_path / "model" / "issues.parquet")
    row = found.filter(pl.col("id") == known[0]).row(0, named=True)
    assert (row["given_label"], row["error_probability"]) == (true[known[0]], 0.0)


def test_decisions_made_while_the_server_is_dead_are_sent_when_it_is_back(audit_of, open_page, serve):
    folder, _, true = audit_of()
    served = serve(folder, "--reviewer", "Ann", "--port", 0)
    page = open_page(served.link)
    decide_by_keyboard(page, true)
    wait_until_saved(page)
    until(page, "ahead.length >= 3")
    served.kill()
    waiting = [decide_by_keyboard(page, true) for _ in range(3)]
    until(page, "document.getElementById('notice').textContent.includes('3 decisions are not saved yet')")
    again = serve(folder, "--reviewer", "Ann", "--port", served.port)
    wait_until_saved(page)
    until(page, "document.getElementById('notice').hidden")
    page.context.close()
    again.stop()
    from labelproof.review.candidates import open_candidates
    from labelproof.review.exchange.verified import open_store

    store = open_store(folder, must_exist=True)
    decided = {d.item for d in store.current(open_candidates(folder).fingerprint)}
    assert set(waiting) <= decided
    assert len(decided) == 4
    store.close()


def test_the_next_item_is_there_within_fifty_milliseconds(audit_of, open_page, serve):
    folder = audit_of()[0]
    page = open_page(serve(folder, "--reviewer", "Ann", "--port", 0).link)
    took = []
    for _ in range(12):
        shown_item(page)
        until(page, "ahead.length >= 2 && [...pictures.values()].every(image => image.complete)")
        took.append(
            page.evaluate("""() => new Promise(resolve => {
                const began = performance.now();
                document.addEventListener('labelproof:shown', () => requestAnimationFrame(() => resolve(
                    [performance.now() - began, document.querySelector('#shown img').naturalWidth])), { once: true });
                document.getElementById('keep').click();
            })""")
        )
    assert all(width > 0 for _, width in took)
    assert np.median([milliseconds for milliseconds, _ in took]) < 50


def test_a_name_is_asked_for_once_and_everything_works_without_a_mouse(audit_of, open_page, serve):
    folder = audit_of()[0]
    served = serve(folder, "--port", 0)
    page = open_page(served.link)
    page.get_by_role("dialog").wait_for()
    page.keyboard.type("  Bo  Ek ")
    page.keyboard.press("Enter")
    item = shown_item(page)
    page.keyboard.press("/")
    page.keyboard.type("7")
    page.locator("#matches li").first.wait_for()
    page.keyboard.press("Enter")
    second = shown_item(page, item)
    page.keyboard.press("u")
    third = shown_item(page, second)
    page.keyboard.press("n")
    fourth = shown_item(page, third)
    page.keyboard.press("s")
    shown_item(page, fourth)
    wait_until_saved(page)
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    unnamed = page.evaluate("""[...document.querySelectorAll('button, input')].filter(e => e.checkVisibility() &&
        !(e.innerText.trim() || e.ariaLabel || e.labels?.length)).length""")
    assert unnamed == 0
    assert "Labelled" in page.locator("#live").inner_text()
    page.reload()
    shown_item(page)
    assert not page.locator("#who").is_visible()
    from labelproof.review.candidates import open_candidates
    from labelproof.review.exchange.verified import open_store

    store = open_store(folder)
    decisions = {d.item: d for d in store.current(open_candidates(folder).fingerprint)}
    store.close()
    assert {d.reviewer for d in decisions.values()} == {"Bo Ek"}
    assert decisions[item].label == "7"
    assert [decisions[i].action for i in (second, third, fourth)] == ["unsure", "none", "skip"]
    assert all(0 < d.seconds < 60 for d in decisions.values())


def test_the_end_of_the_budget(audit_of, open_page, serve):
    folder = audit_of()[0]
    page = open_page(serve(folder, "--budget", 3, "--reviewer", "Ann", "--port", 0).link)
    for _ in range(3):
        item = shown_item(page)
        page.keyboard.press("k")
        until(page, "before => document.getElementById('item-id').textContent !== before", item)
    page.locator("strong", has_text="Nothing left to review").wait_for()
    page.keyboard.press("z")
    assert shown_item(page) == item


@pytest.mark.parametrize(("kind", "width"), [("text", 1280), ("table", 390)])
def test_other_kinds_and_nothing_of_the_user_runs(kind, width, open_page, serve, tmp_path):
    rng = np.random.default_rng(0)
    n = 300
    y = rng.integers(0, 2, n)
    names = np.array([f"a {EVIL}", f"b {EVIL}"])
    frame = pl.DataFrame(
        {
            "name": [f"{EVIL}{i}" for i in range(n)],
            "label": names[np.where(rng.random(n) < 0.1, 1 - y, y)],
            "body": [f"{'good' if v else 'bad'} {EVIL} " + "word " * (400 if i % 2 else 3) for i, v in enumerate(y)],
            f"col {EVIL}": np.where(rng.random(n) < 0.01, 99.0, rng.normal(0, 1, n)),
        }
    )
    if kind == "table":
        frame = frame.with_columns(body=pl.Series(np.where(y == 1, f"x {EVIL}", "y")))
    frame.write_csv(tmp_path / "t.csv")
    options = ["--text", "body"] if kind == "text" else []
    command("audit", tmp_path / "t.csv", "--label", "label", "--id", "name", *options, "--out", tmp_path / "audit")
    page = open_page(serve(tmp_path / "audit", "--port", 0).link, width=width, scheme="dark")
    page.locator("#who-name").fill(f"Eve {EVIL[:60]}")
    page.keyboard.press("Enter")
    seen = ""
    item = shown_item(page)
    for _ in range(8):
        until(page, "!document.getElementById('similar').hidden")
        seen += page.locator("main").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.keyboard.press("Enter")
        item = shown_item(page, item)
    wait_until_saved(page)
    if kind == "text":
        assert "Show all" in seen
        while not page.locator(".folded").count():
            page.keyboard.press("k")
            item = shown_item(page, item)
        page.get_by_text("Show all").click()
        assert page.locator(".folded").count() == 0
    page.keyboard.press("/")
    page.keyboard.type("img")
    assert page.locator("#matches li").count() == 2
    page.keyboard.press("Escape")
    until(page, "document.getElementById('people-table').textContent.includes('Eve')")
    assert EVIL in seen
    assert page.title() == "Review · audit"
    assert page.locator("main img, main script").count() == 0
    assert page.problems == []


def test_unusual_values_of_a_row_are_marked(open_page, serve, tmp_path):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 400)
    size = rng.normal(y * 3, 1)
    y[7], size[7] = 0, 60.0
    names = np.array(["low", "high"])[y]
    pl.DataFrame({"size": size, "colour": np.array(["red", "blue"])[rng.integers(0, 2, 400)], "kind": names}).write_csv(
        tmp_path / "t.csv"
    )
    command("audit", tmp_path / "t.csv", "--label", "kind", "--out", tmp_path / "audit")
    page = open_page(serve(tmp_path / "audit", "--reviewer", "Ann", "--port", 0).link)
    item = shown_item(page)
    for _ in range(100):
        if item == "7":
            break
        page.keyboard.press("k")
        item = shown_item(page, item)
    assert page.locator("mark").inner_text().startswith("60.0")
    assert page.locator("mark").count() == 1


def test_tags_are_ticked(open_page, serve, tmp_path):
    rng = np.random.default_rng(0)
    names = ["sky", "sea", "sun", "snow"]
    true = (rng.random((200, 4)) < 0.4).astype(int)
    given = lp.simulate.missing_tags(true, 0.2, random_state=0).labels
    np.save(tmp_path / "t.npy", given)
    np.save(tmp_path / "p.npy", np.where(true == 1, 0.9, 0.1))
    np.save(tmp_path / "x.npy", rng.integers(0, 255, (200, 12, 12, 3), dtype=np.uint8))
    files = ["--tags", tmp_path / "t.npy", "--pred-probs", tmp_path / "p.npy", "--features", tmp_path / "x.npy"]
    command("audit", *files, "--classes", ",".join(names), "--out", tmp_path / "audit")
    page = open_page(serve(tmp_path / "audit", "--reviewer", "Ann", "--port", 0).link)
    item = shown_item(page)
    until(page, "document.querySelector('#shown img').naturalWidth > 0")
    assert page.locator(".chip").count() > 0
    boxes = page.locator(".tags input").evaluate_all("all => all.map(box => [box.value, box.checked])")
    assert dict(boxes) == {name: bool(v) for name, v in zip(names, given[int(item)], strict=True)}
    for i, (name, checked) in enumerate(boxes):
        if checked != bool(true[int(item)][names.index(name)]):
            page.keyboard.press(str(i + 1))
    picture_of(page, "review-tags")
    page.keyboard.press("Enter")
    shown_item(page, item)
    wait_until_saved(page)
    assert page.problems == []
    command("apply", tmp_path / "audit", "--out", tmp_path / "clean.csv")
    clean = pl.read_csv(tmp_path / "clean.csv")
    assert list(clean.select(names).row(int(item))) == true[int(item)].tolist()
    assert (clean["tags_change"].fill_null("") != "").sum() == 1


def test_a_picture_that_has_vanished_and_an_audit_without_data(open_page, serve, tmp_path, noisy_problem):
    rng = np.random.default_rng(0)
    for kind, shade in (("dark", 40), ("light", 200)):
        (tmp_path / "p" / kind).mkdir(parents=True)
        for i in range(20):
            Image.fromarray(rng.integers(shade - 20, shade + 20, (12, 12, 3), dtype=np.uint8)).save(
                tmp_path / "p" / kind / f"{i}.png"
            )
    np.save(tmp_path / "p.npy", np.eye(2)[np.repeat([0, 1], 20)] * 0.8 + 0.1)
    command("audit", tmp_path / "p", "--pred-probs", tmp_path / "p.npy", "--out", tmp_path / "audit")
    for file in (tmp_path / "p").glob("*/*.png"):
        file.write_bytes(b"gone")
    page = open_page(serve(tmp_path / "audit", "--reviewer", "Ann", "--port", 0).link)
    page.get_by_text("The picture cannot be shown.").wait_for()
    labels, probs, _ = noisy_problem()
    lp.audit(labels, probs).save(tmp_path / "bare")
    page = open_page(serve(tmp_path / "bare", "--reviewer", "Ann", "--port", 0).link)
    page.get_by_text("labels and probabilities alone").wait_for()
    page.keyboard.press("k")
    time.sleep(0.1)
    wait_until_saved(page)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_tells_what_the_next_reviews_will_find(audit_of, open_page, serve, width):
    folder, _, _ = audit_of(n=600)
    served = serve(folder, "--budget", 150, "--reviewer", "Ann", "--port", 0)
    page = open_page(served.link, width=width)
    shown_item(page)
    if width < 500:
        page.locator("#figures-button").click()
    until(page, "document.getElementById('outlook').textContent.startsWith('Of the first 150, expect ')")
    before = page.locator("#outlook").inner_text()
    assert "With 95 % confidence fewer than " in before
    assert "wrong labels remain (about " in before
    band = "document.querySelector('#ahead .band').getAttribute('points').trim().split(/[ ,]+/).map(Number)"
    corners = page.evaluate(band)
    assert len(corners) == 2 * 2 * 24
    assert all(0 <= x <= 320 and 0 <= y <= 120 for x, y in zip(corners[::2], corners[1::2], strict=True))
    upper, lower = corners[1:48:2], corners[:47:-2]  # by rising number of reviews
    assert all(low >= high for low, high in zip(lower, upper, strict=True))  # the page's y points down
    assert upper == sorted(upper, reverse=True)
    assert "Wrong labels that the next 150 reviews will find" in page.locator("#ahead").get_attribute("aria-label")
    for _ in range(6):
        item = shown_item(page)
        page.locator("#keep").click()
        shown_item(page, item)
    wait_until_saved(page)
    until(page, "document.getElementById('outlook').textContent.startsWith('Of the next 144, expect ')")
    assert page.locator("#outlook").text_content() != before
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("#ahead").scroll_into_view_if_needed()
    picture_of(page, f"forecast-{width}")
    assert page.problems == []
    assert "With 95 % confidence fewer than " in served.stop()
