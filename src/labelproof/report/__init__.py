"""What a person looks at."""

from labelproof.report.html import short_html, write_report
from labelproof.report.tags import short_tag_html, write_tag_report

__all__ = ["short_html", "short_tag_html", "write_report", "write_tag_report"]
