"""Passwords, and what brokers keep in their place."""

import base64
import hashlib
import os
import secrets

PASSWORD_BYTES = 24
MOSQUITTO_ITERATIONS = 101
"""As mosquitto_passwd. More would slow down each connect, and make nothing safer: nobody guesses 192 random bits."""
_MOSQUITTO_SALT_BYTES = 12
_RABBITMQ_SALT_BYTES = 4


def new_password() -> str:
    """Return a password that nobody guesses, of letters, digits, `-` and `_`."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def for_mosquitto(password: str, salt: bytes | None = None) -> str:
    """Return a hash as in the files of mosquitto_passwd, version 7: PBKDF2 with HMAC and SHA-512."""
    salt = os.urandom(_MOSQUITTO_SALT_BYTES) if salt is None else salt
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, MOSQUITTO_ITERATIONS)
    return f"$7${MOSQUITTO_ITERATIONS}${_base64(salt)}${_base64(digest)}"


def for_rabbitmq(password: str, salt: bytes | None = None) -> str:
    """Return a `password_hash` as in RabbitMQ's definitions, of `rabbit_password_hashing_sha256`."""
    salt = os.urandom(_RABBITMQ_SALT_BYTES) if salt is None else salt
    return _base64(salt + hashlib.sha256(salt + password.encode()).digest())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
