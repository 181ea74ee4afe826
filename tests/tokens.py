"""JSON web tokens: an issuer with a key of its own."""

from __future__ import annotations

import json
import time
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet


class Issuer:
    """Signs tokens with an EC key. Its `name` is their issuer."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._key = ECKey.generate_key("P-256", {"kid": name, "use": "sig", "alg": "ES256"})

    @property
    def jwks(self) -> str:
        """The public key, as a JWK set."""
        return json.dumps(KeySet([self._key]).as_dict(private=False))

    def token(self, *, lifetime: float | None = 600.0, **claims: Any) -> str:
        """A token that ends in `lifetime` seconds (None: never)."""
        body: dict[str, Any] = {"iss": self.name, **claims}
        if lifetime is not None:
            body["exp"] = int(time.time() + lifetime)
        return jwt.encode({"alg": "ES256", "kid": self.name}, body, self._key)

    def bearer(self, **claims: Any) -> dict[str, str]:
        """The header of a request with such a token."""
        return {"authorization": f"Bearer {self.token(**claims)}"}
