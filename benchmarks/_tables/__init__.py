"""The tables of README and docs, by the name in their marker; one file a subject."""

from _tables import audits, kinds, m_vae, review, tags, training

TABLES = audits.TABLES | kinds.TABLES | review.TABLES | training.TABLES | m_vae.TABLES | tags.TABLES
