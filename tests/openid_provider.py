"""A provider of OpenID Connect of the tests' own, over HTTP: it does what the standard asks, and lies on demand."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

CLIENT, SECRET = "tocsin", "a secret: of the provider+"


def new_key() -> RSAPrivateKey:
    """A key to sign with."""
    return generate_private_key(65537, 2048)


FIRST_KEY = new_key()


@dataclass
class OpenIdProvider:
    """Whoever comes is the person that `claims` says; what it signs and publishes can be bent."""

    origin: str = ""
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "0001", "preferred_username": "pia_partner"})
    user_info: dict[str, Any] = field(default_factory=dict)
    key: RSAPrivateKey = field(default_factory=lambda: FIRST_KEY)
    number: str = "first"
    bent: dict[str, Any] = field(default_factory=dict)
    """Claims of the token in place of the right ones; None leaves one out."""
    document: dict[str, Any] = field(default_factory=dict)
    """The same of what is published."""
    header: dict[str, Any] = field(default_factory=dict)
    """More of the token's header."""
    sent_back: dict[str, str | None] = field(default_factory=dict)
    """The same of the address that the browser comes back with."""
    algorithm: str = "RS256"
    signs_with: Any = None
    is_down: bool = False
    asked: list[str] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def published(self) -> dict[str, Any]:
        """The discovery document."""
        said = {
            "issuer": self.origin,
            "authorization_endpoint": f"{self.origin}/authorize",
            "token_endpoint": f"{self.origin}/token",
            "userinfo_endpoint": f"{self.origin}/userinfo",
            "jwks_uri": f"{self.origin}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }
        return _bent(said, self.document)

    def keys(self) -> dict[str, Any]:
        """Its public keys."""
        public = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": self.number, "use": "sig", "alg": "RS256"}]}

    def turn_key(self) -> None:
        """Sign with a new key from now on."""
        self.key, self.number = new_key(), secrets.token_hex(4)

    def visit(self, address: str) -> str:
        """What a browser does that is sent there by somebody whom the provider knows: give the address to return to."""
        said = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert urlsplit(address).path == "/authorize"
        assert said["response_type"] == "code"
        assert said["client_id"] == CLIENT
        code = secrets.token_urlsafe(16)
        self._codes[code] = said
        answer = _bent({"code": code, "state": said["state"], "iss": self.origin}, dict(self.sent_back))
        return f"{said['redirect_uri']}?{urlencode(answer)}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """Change a code for tokens: once, for the client it was given to, with its verifier."""
        name, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        if (unquote_plus(name), unquote_plus(secret)) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client"}
        begun = self._codes.pop(form.get("code", ""), None)
        if begun is None or form.get("redirect_uri") != begun["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        if begun["code_challenge_method"] != "S256" or challenge.decode() != begun["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.origin, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": begun["nonce"],
                  **self.claims}  # fmt: skip
        if begun.get("prompt") == "login":
            claims["auth_time"] = now
        token = jwt.encode(
            _bent(claims, self.bent),
            self.key if self.signs_with is None else self.signs_with,
            self.algorithm,
            {"kid": self.number, **self.header},
        )
        return 200, {"access_token": "opaque", "token_type": "Bearer", "id_token": token}

    def answer(self, path: str, form: dict[str, str] | None, authorization: str) -> tuple[int, dict[str, Any]]:
        """What it says at each of its addresses."""
        self.asked.append(path)
        if self.is_down:
            return 503, {}
        if form is not None:
            return self.token(form, authorization) if path == "/token" else (404, {})
        if path == "/userinfo" and authorization == "Bearer opaque":
            return 200, {"sub": self.claims["sub"], **self.user_info}
        found = {"/.well-known/openid-configuration": self.published, "/keys": self.keys}.get(path)
        return (200, found()) if found else (404, {})


def _bent(said: dict[str, Any], bent: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**said, **bent}.items() if value is not None}


@contextmanager
def running() -> Iterator[OpenIdProvider]:
    """A provider that listens at a port of this machine."""
    provider = OpenIdProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/authorize"):
                self.send_response(302)
                self.send_header("Location", provider.visit(provider.origin + self.path))
                self.end_headers()
                return
            self._say(None)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
            self._say({name: values[0] for name, values in parse_qs(body).items()})

        def _say(self, form: dict[str, str] | None) -> None:
            status, said = provider.answer(self.path, form, self.headers.get("Authorization", ""))
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *said: object) -> None:
            """Nothing: the test says what went wrong."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.origin = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
