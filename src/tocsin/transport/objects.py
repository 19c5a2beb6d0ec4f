"""A part of an object store that speaks S3: whole objects put by one signed request each, read by ranges.

One request for each object, however large (a file of the lake stays far below what a store takes at once): an object is
there whole or not at all, and nothing half is left behind. The store compares what came with its SHA-256.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

from tocsin.core.errors import InputError, Unavailable

if TYPE_CHECKING:
    import httpx

CHUNK_BYTES = 1 << 20
ATTEMPTS = 5
BACK_OFF_SECONDS = 0.25
WORTH_A_RETRY = frozenset({408, 429, 500, 502, 503, 504})
EMPTY = hashlib.sha256(b"").hexdigest()
USUAL_REGION = "us-east-1"
NAMESPACE = "{*}"
MEANINGS = {
    "InvalidAccessKeyId": "it does not know the access key",
    "SignatureDoesNotMatch": "the secret key does not belong to the access key",
    "AccessDenied": "this access key may not do that there",
    "AllAccessDisabled": "this access key may not do that there",
    "NoSuchBucket": "it has no bucket of that name",
    "RequestTimeTooSkewed": "its clock and the one of this machine are too far apart",
    "PermanentRedirect": "the bucket belongs to another region or endpoint",
    "AuthorizationHeaderMalformed": "the bucket belongs to another region",
    "QuotaExceeded": "the bucket is full",
    "XMinioStorageFull": "its disks are full",
    "InsufficientStorage": "its disks are full",
}
"""What an error of a store means to who keeps it."""


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """Objects of a bucket whose names begin with a prefix."""

    endpoint: str
    """Scheme, host and port."""
    bucket: str
    prefix: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)

    @property
    def address(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/") + f" at {self.endpoint}"

    def put(self, name: str, path: Path) -> None:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        self._asked("PUT", name, path=path, digest=digest)

    def put_bytes(self, name: str, body: bytes, *, only_new: bool = False) -> bool:
        """Whether it was put; `only_new`: not where there is one of that name, as far as the store can tell."""
        headers = {"if-none-match": "*"} if only_new else {}
        try:
            self._asked("PUT", name, body=body, digest=hashlib.sha256(body).hexdigest(), headers=headers)
        except FileExistsError:
            return False
        return True

    def get_bytes(self, name: str) -> bytes:
        """A small object, whole. Raises FileNotFoundError."""
        return bytes(self._asked("GET", name).content)

    def get(self, name: str, target: IO[bytes]) -> None:
        self._asked("GET", name, into=target)

    def part(self, name: str, start: int, length: int) -> bytes:
        headers = {"range": f"bytes={start}-{start + length - 1}"}
        body = bytes(self._asked("GET", name, headers=headers).content)
        if len(body) != length:
            raise Unavailable(f"the object store {self.address} gave other bytes than it was asked for")
        return body

    def size(self, name: str) -> int:
        return int(self._asked("HEAD", name).headers["content-length"])

    def remove(self, name: str) -> None:
        try:
            self._asked("DELETE", name)
        except FileNotFoundError:
            return

    def listed(self, prefix: str) -> Iterator[tuple[str, float]]:
        whole, more = self._whole(prefix), ""
        while True:
            query = {"list-type": "2", "prefix": whole, **({"continuation-token": more} if more else {})}
            answer = self._asked("GET", None, query=query)
            page, ahead = _tree(answer.content), _ahead(answer)
            for each in page.iterfind(f"{NAMESPACE}Contents"):
                name = each.findtext(f"{NAMESPACE}Key", "")
                if not name.endswith("/"):
                    at = _moment(each.findtext(f"{NAMESPACE}LastModified", ""))
                    yield name[len(self._whole("")) :], at - ahead
            more = page.findtext(f"{NAMESPACE}NextContinuationToken", "")
            if page.findtext(f"{NAMESPACE}IsTruncated", "") != "true" or not more:
                return

    def forget_unfinished(self, before: float) -> int:
        """Ours are never in parts; what copies a lake here may have been killed."""
        answer = self._asked("GET", None, query={"uploads": "", "prefix": self._whole("")})
        ahead, gone = _ahead(answer), 0
        for each in _tree(answer.content).iterfind(f"{NAMESPACE}Upload"):
            whole, upload = (each.findtext(f"{NAMESPACE}{tag}", "") for tag in ("Key", "UploadId"))
            begun = _moment(each.findtext(f"{NAMESPACE}Initiated", "")) - ahead
            if upload and whole.startswith(self._whole("")) and begun < before:
                self._asked("DELETE", whole[len(self._whole("")) :], query={"uploadId": upload})
                gone += 1
        return gone

    def for_polars(self, name: str) -> tuple[str, Mapping[str, str]]:
        options = {
            "aws_access_key_id": self.access_key, "aws_secret_access_key": self.secret_key, "aws_region": self.region,
            "aws_endpoint_url": self.endpoint, "aws_virtual_hosted_style_request": "false",
            "aws_allow_http": str(self.endpoint.startswith("http:")).lower(),
        }  # fmt: skip
        return f"s3://{self.bucket}/{self._whole(name)}", options

    def _whole(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

    def _asked(
        self,
        method: str,
        name: str | None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        path: Path | None = None,
        body: bytes = b"",
        digest: str = EMPTY,
        into: IO[bytes] | None = None,
    ) -> httpx.Response:
        """What the store answers, asked again while it may be only busy."""
        import httpx

        place = f"/{self.bucket}" + ("" if name is None else f"/{quote(self._whole(name), safe='/-_.~')}")
        for attempt in range(ATTEMPTS):
            is_last = attempt == ATTEMPTS - 1
            try:
                url, said = self.signed(method, place, query or {}, headers or {}, digest)
                answer = _sent(method, url, said, path, body, into)
            except (httpx.TimeoutException, httpx.TransportError) as error:
                if is_last:
                    raise Unavailable(f"the object store {self.address} does not answer") from error
            else:
                if answer.status_code not in WORTH_A_RETRY or is_last:
                    return self._judged(answer, name)
            if into is not None:
                into.seek(0)
                into.truncate()
            time.sleep(BACK_OFF_SECONDS * 2**attempt * (1 + random.random()))
        raise AssertionError("the last attempt returns or raises")

    def signed(
        self, method: str, place: str, query: Mapping[str, str], headers: Mapping[str, str], digest: str = EMPTY
    ) -> tuple[str, dict[str, str]]:
        """Address and headers of a request, with its signature (AWS Signature Version 4)."""
        now = datetime.now(UTC)
        moment, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        asked = "&".join(
            f"{quote(key, safe='-_.~')}={quote(value, safe='-_.~')}" for key, value in sorted(query.items())
        )
        said = {"host": urlsplit(self.endpoint).netloc, "x-amz-content-sha256": digest, "x-amz-date": moment, **headers}
        names = ";".join(sorted(said))
        lines = "".join(f"{name}:{said[name]}\n" for name in sorted(said))
        canonical = "\n".join((method, place, asked, lines, names, digest))
        scope = f"{day}/{self.region}/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = f"AWS4{self.secret_key}".encode()
        for part in (day, self.region, "s3", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.new(key, text.encode(), "sha256").hexdigest()
        said["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        said["accept-encoding"] = "identity"
        return f"{self.endpoint}{place}{'?' if asked else ''}{asked}", said

    def _judged(self, answer: httpx.Response, name: str | None) -> httpx.Response:
        status = answer.status_code
        if status < HTTPStatus.MULTIPLE_CHOICES:
            return answer
        code = _code(answer) if answer.request.method != "HEAD" else ""
        if status == HTTPStatus.NOT_FOUND and code in {"", "NoSuchKey", "NoSuchUpload"} and name is not None:
            raise FileNotFoundError(f"{self.address}: {name}")
        if (
            status in {HTTPStatus.PRECONDITION_FAILED, HTTPStatus.CONFLICT}
            and "if-none-match" in answer.request.headers
        ):
            raise FileExistsError(f"{self.address}: {name}")
        if status == HTTPStatus.FORBIDDEN and not code:
            code = "AccessDenied"
        meaning = MEANINGS.get(code, f"it answered {status} {code}".rstrip())
        raise Unavailable(f"the object store {self.address}: {meaning}")


def object_store(address: str, keys: str) -> ObjectStore:
    """The store at `s3://bucket/prefix?endpoint=https://host:port&region=name`; `keys`: the access key and the secret
    one, each on a line. Raises InputError."""
    parts = urlsplit(address)
    asked = dict(parse_qsl(parts.query, keep_blank_values=True))
    region = asked.pop("region", USUAL_REGION)
    endpoint = asked.pop("endpoint", f"https://s3.{region}.amazonaws.com").rstrip("/")
    there = urlsplit(endpoint)
    wrong = ""
    if parts.scheme != "s3" or not parts.netloc:
        wrong = f"{address}, not s3://bucket/prefix?endpoint=https://host"
    elif "@" in parts.netloc or ":" in parts.netloc:
        wrong = "an address with keys in it: they belong in a file of their own"
    elif asked:
        wrong = f"{', '.join(sorted(asked))}: only endpoint and region can be said there"
    elif there.scheme not in {"http", "https"} or not there.netloc or there.path or there.username:
        wrong = f"{endpoint}, not https://host:port"
    if wrong:
        raise InputError("invalid-object", position="tocsin.toml", field="lake", excerpt=wrong)
    lines = [line.strip() for line in keys.splitlines() if line.strip()]
    if len(lines) != 2:
        excerpt = "not two lines, the access key and the secret key"
        raise InputError("invalid-object", position="tocsin.toml", field="lake_access", excerpt=excerpt)
    return ObjectStore(endpoint, parts.netloc, parts.path.strip("/"), region, *lines)


@lru_cache(maxsize=1)
def _client(process: int) -> httpx.Client:
    """One for all threads: connections are kept open. A process that was forked off has its own."""
    import ssl

    import httpx

    return httpx.Client(
        timeout=httpx.Timeout(60, connect=10), verify=ssl.create_default_context(), trust_env=False,
        limits=httpx.Limits(max_connections=64, max_keepalive_connections=16),
    )  # fmt: skip


def _sent(
    method: str, url: str, headers: dict[str, str], path: Path | None, body: bytes, into: IO[bytes] | None
) -> httpx.Response:
    """The answer, its body in `into` where that is given and all went well."""
    import httpx

    client = _client(os.getpid())
    if path is not None:
        length = {"content-length": str(path.stat().st_size)}
        return client.send(httpx.Request(method, url, headers=headers | length, content=_pieces(path)))
    sent = httpx.Request(method, url, headers=headers, content=body or None)
    if into is None:
        return client.send(sent)
    answer = client.send(sent, stream=True)
    try:
        if answer.status_code == HTTPStatus.OK:
            for piece in answer.iter_raw(CHUNK_BYTES):
                into.write(piece)
        else:
            answer.read()
    finally:
        answer.close()
    return answer


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while piece := stream.read(CHUNK_BYTES):
            yield piece


def _tree(body: bytes) -> Any:
    from lxml import etree

    return etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False))


def _code(answer: httpx.Response) -> str:
    """The word of an error; empty where the answer is none of a store."""
    from lxml import etree

    try:
        tree = _tree(answer.content)
    except etree.XMLSyntaxError:
        return ""
    return str(tree.findtext(f"{NAMESPACE}Code", "") or "")


def _moment(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _ahead(answer: httpx.Response) -> float:
    """By how many seconds the clock of the store is ahead of ours."""
    said = answer.headers.get("date")
    return parsedate_to_datetime(said).timestamp() - time.time() if said else 0.0
