"""The wire contract: messages, their encoding, their topics. Imports msgspec and the standard library only."""
