"""What a person looks at."""

from labelproof.report.html import short_html, write_report

__all__ = ["short_html", "write_report"]
