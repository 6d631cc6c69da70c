"""scikit-learn's own checks of every estimator: one list of these, and one table of what a check may not expect, with the reason."""

from __future__ import annotations

import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

import labelproof as lp

CPU = {"accelerator": "cpu"}
ESTIMATORS = [
    lp.BootstrapEnsemble(LogisticRegression(), n=2),
    lp.ConceptCaptioner(**CPU),
    lp.GenerativeCleaner(),
    lp.M1M2(epochs=(1, 1, 1), batch_size=64, **CPU),
    lp.M1M2(labels="clamped", epochs=(1, 1, 1), batch_size=64, **CPU),
    lp.MislabeledVAE(epochs=(1, 1, 1), batch_size=64, **CPU),
    lp.NLGAN(**CPU),
    lp.NoisyLabelClassifier(epochs=8, batch_size=64, **CPU),
    lp.NoisyLabelClassifier("forward", epochs=8, batch_size=64, **CPU),
    lp.NoisyTagClassifier(stages=(1, 1), batch_size=64, **CPU),
    lp.RankPruning(),
]

MATRIX = "labels are a matrix of 0 and 1, a column a tag, and the check's are classes"
FEW_LABELS = {
    "check_classifiers_classes": "its classes are -1 and 1; -1 means unlabelled here",
    "check_classifiers_train": "a classifier of a few steps; how well it learns is tested in test_mislabeled_vae",
}
NOT_EXPECTED = {
    lp.MislabeledVAE: FEW_LABELS,
    lp.M1M2: FEW_LABELS,
    lp.NoisyLabelClassifier: {
        "check_sample_weight_equivalence_on_dense_data": "batches are drawn at random: a weight of 2 and a repeated item are alike "
        "on average, not step by step",
    },
    lp.NoisyTagClassifier: {
        "check_estimators_dtypes": MATRIX,
        "check_dtype_object": MATRIX,
        "check_classifier_data_not_an_array": MATRIX,
        "check_classifiers_one_label": MATRIX,
        "check_classifiers_classes": MATRIX,
        "check_classifiers_train": MATRIX,
        "check_classifiers_regression_target": MATRIX,
        "check_decision_proba_consistency": MATRIX,
        "check_classifier_not_supporting_multiclass": MATRIX,
        "check_fit2d_1feature": MATRIX,
        "check_fit2d_1sample": "of one item every tag is given always or never, and that is what it says",
        "check_methods_subset_invariance": "its networks predict in single precision",
    },
}
WITHOUT_DATA = [  # what scikit-learn can check of estimators that learn from pictures or videos, for which it has no data
    estimator_checks.check_estimator_cloneable,
    estimator_checks.check_valid_tag_types,
    estimator_checks.check_estimator_repr,
    estimator_checks.check_no_attributes_set_in_init,
    estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
    estimator_checks.check_mixin_order,
    estimator_checks.check_parameters_default_constructible,
    estimator_checks.check_get_params_invariance,
    estimator_checks.check_set_params,
]
OF_ROWS = [estimator for estimator in ESTIMATORS if get_tags(estimator).input_tags.two_d_array]


@pytest.mark.filterwarnings("ignore::labelproof.errors.LabelproofWarning")
@parametrize_with_checks(OF_ROWS, expected_failed_checks=lambda estimator: NOT_EXPECTED.get(type(estimator), {}))
def test_it_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


@pytest.mark.parametrize("check", WITHOUT_DATA, ids=lambda check: check.__name__)
@pytest.mark.parametrize("estimator", [e for e in ESTIMATORS if e not in OF_ROWS], ids=lambda e: type(e).__name__)
def test_it_is_an_estimator_of_other_things_than_rows(estimator, check):
    check(type(estimator).__name__, estimator)


def test_no_estimator_is_missing():
    public = [getattr(lp, name) for name, home in lp._HOME.items() if home.startswith("labelproof.estimators")]
    estimators = {owner for owner in public if isinstance(owner, type) and issubclass(owner, BaseEstimator)}
    assert estimators == {type(estimator) for estimator in ESTIMATORS}
