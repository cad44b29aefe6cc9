"""The earlier path of :mod:`ssc_ingest.http.responses`, for plug-ins that import it."""

from ssc_ingest.http.responses import Download, Response

__all__ = ["Download", "Response"]
