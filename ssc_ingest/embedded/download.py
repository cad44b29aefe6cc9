"""Download jars from Maven Central or a mirror: in parallel, verified, resumable."""

import hashlib
import shutil
import ssl
import time
from collections.abc import Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from importlib.metadata import version
from io import BufferedRandom
from threading import Event
from urllib.parse import urlsplit

import httpx
import tenacity
import truststore

from ssc_ingest.embedded.data_directory import usable_storage
from ssc_ingest.embedded.errors import ChecksumMismatch, DownloadError, NoSpaceLeft
from ssc_ingest.embedded.jars import Jar, JarCache
from ssc_ingest.embedded.progress import Advance, StartProgress
from ssc_ingest.errors import RegistryUnavailable
from ssc_ingest.http.download import Transfer
from ssc_ingest.http.responses import retry_after
from ssc_ingest.servers import without_credentials

AT_ONCE = 8
ATTEMPTS = 4
MAX_PAUSE = 120.0  # seconds; a server that requests a longer wait counts as down
TRY_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
REMEDY = (
    "connect this machine to the network, set EMBEDDED_MAVEN_URL to a mirror of Maven Central, "
    "or set GRAPH_DB_URI to a Neo4j of your own"
)


class JarDownload:
    """Downloads the jars of a lock into the cache."""

    def __init__(self, cache: JarCache, maven_url: str, *, cancelled: Event | None = None) -> None:
        """Prepare; sends no request yet.

        Args:
            cache: the destination.
            maven_url: root of a Maven repository.
            cancelled: another thread sets it to stop the download; finished files stay.
        """
        self._cache = cache
        self._url = maven_url.rstrip("/")
        self._cancelled = cancelled or Event()
        self._not_before = 0.0  # on the monotonic clock

    def ensure(self, jars: Iterable[Jar], progress: StartProgress) -> None:
        """Download the jars that are missing from the cache or differ from the lock.

        Raises:
            DownloadError: the repository does not respond or lacks a jar.
            ChecksumMismatch: the repository has a different file under the name of a jar.
            NoSpaceLeft: the disk of the cache is full.
        """
        jars = tuple(jars)
        with usable_storage(self._cache.folder, "CACHE_DIR"):
            if not self._cache.missing(jars):
                return
            with self._cache.exclusive(self._cancelled) as waited:
                if missing := self._cache.missing(jars):
                    self._download(missing, progress)
                elif waited:
                    progress.say("another process has downloaded the jars of Neo4j")

    def _download(self, jars: list[Jar], progress: StartProgress) -> None:
        total = sum(jar.size for jar in jars)
        free = shutil.disk_usage(self._cache.folder).free
        if free < total:
            raise NoSpaceLeft(
                f"{self._cache.folder} has {free / 1e6:.0f} MB left and the jars of Neo4j need "
                f"{total / 1e6:.0f} MB: free some, or set CACHE_DIR to another disk"
            )
        loopback = urlsplit(self._url).hostname in {"127.0.0.1", "localhost", "::1"}
        with (
            httpx.Client(
                verify=truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
                trust_env=not loopback,  # proxies never apply to loopback
                timeout=httpx.Timeout(60, connect=15),
                limits=httpx.Limits(max_connections=AT_ONCE),
                headers={
                    "User-Agent": f"ssc-ingest/{version('ssc-ingest')}",
                    "Accept-Encoding": "identity",  # sizes and ranges are those of the file
                },
                follow_redirects=True,
            ) as client,
            progress.download(f"Neo4j server ({len(jars)} jars)", total) as advance,
            ThreadPoolExecutor(AT_ONCE, thread_name_prefix="jars") as pool,
        ):
            futures = [pool.submit(self._one, client, jar, advance) for jar in jars]
            try:
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
            except BaseException:
                self._cancelled.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _one(self, client: httpx.Client, jar: Jar, advance: Advance) -> None:
        """Download one jar, with retries."""
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(RegistryUnavailable),
            stop=tenacity.stop_after_attempt(ATTEMPTS)
            | tenacity.stop_when_event_set(self._cancelled),
            wait=tenacity.wait_exponential(multiplier=0.5, max=30) + tenacity.wait_random(0, 0.5),
            sleep=tenacity.sleep_using_event(self._cancelled),
            reraise=True,
        )
        target = self._cache.path(jar)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.part")
        with partial.open("a+b") as file:
            transfer = Transfer(file, expected_size=jar.size, on_progress=advance)
            try:
                retrying(self._attempt, client, jar, file, transfer)
            except RegistryUnavailable as error:
                raise DownloadError(
                    f"cannot download {self._source(jar)}: {error}; {REMEDY}"
                ) from error
            finally:
                if not transfer.size:
                    partial.unlink()
        partial.replace(target)

    def _source(self, jar: Jar) -> str:
        """The jar's address without credentials."""
        return f"{without_credentials(self._url)}/{jar.path}"

    def _attempt(
        self, client: httpx.Client, jar: Jar, file: BufferedRandom, transfer: Transfer
    ) -> None:
        """Download the missing part, and verify the whole file."""
        if transfer.size > jar.size:
            transfer.restart()
        resumed = transfer.size > 0
        if transfer.size < jar.size:
            self._cancelled.wait(max(0.0, self._not_before - time.monotonic()))
            self._check_cancelled()
            self._receive(client, jar, transfer)
        file.seek(0)
        if hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256:
            return
        transfer.restart()
        if resumed:
            raise RegistryUnavailable(
                "the part from an earlier download did not match the checksum and was discarded"
            )
        raise ChecksumMismatch(
            f"{self._source(jar)} is not the file that the lock of this program names (SHA-256 "
            f"{jar.sha256}); it was deleted. Is the mirror complete and unmodified?"
        )

    def _receive(self, client: httpx.Client, jar: Jar, transfer: Transfer) -> None:
        try:
            with client.stream(
                "GET", f"{self._url}/{jar.path}", headers=transfer.headers()
            ) as answer:
                if answer.status_code in TRY_LATER:
                    self._pause(answer)
                    raise RegistryUnavailable(f"it answers HTTP {answer.status_code}")
                no_rest = answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE
                if not answer.is_success and not no_rest:
                    raise DownloadError(
                        f"{self._source(jar)} answers HTTP {answer.status_code}; is "
                        "EMBEDDED_MAVEN_URL the root of a mirror of Maven Central?"
                    )
                begun = transfer.begin(answer.status_code, answer.headers, str(answer.url))
                for chunk in answer.iter_raw() if begun else ():
                    self._check_cancelled()
                    transfer.write(chunk)
                    if transfer.size > jar.size:
                        break  # a wrong file; the checksum will show it
        except httpx.TransportError as error:
            raise RegistryUnavailable(str(error) or type(error).__name__) from error

    def _check_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise RegistryUnavailable("cancelled")

    def _pause(self, answer: httpx.Response) -> None:
        """Delay the requests of all threads for the time that the server requests."""
        seconds = retry_after(answer.headers.get("retry-after")) or 0.0
        if seconds > MAX_PAUSE:
            raise DownloadError(f"{self._url} requests a wait of {seconds:.0f} s; {REMEDY}")
        self._not_before = max(self._not_before, time.monotonic() + seconds)
