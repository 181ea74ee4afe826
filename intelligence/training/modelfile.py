"""The Modelfile of a trained model: how Ollama shows it a request.

The product's messages are the same for every model: instructions, examples, and a user message `{"mesh": …, "request":
"…"}`. A small model has no use for most of that. Its template shows it the last such message from the request on, and
nothing else: `scale cart to 3"}`. A turn that asks for repair shows it the same again: its second answer is its first.
"""

from __future__ import annotations

_MESH = '{"mesh": '
_REQUEST = '"request": "'
# "request" walks through a text until it begins with _REQUEST. That cannot stand earlier: quotes in names are escaped.
TEMPLATE = (
    '{{- define "request" }}{{ if gt (len .) LENGTH }}{{ if eq (slice . 0 LENGTH) `REQUEST` }}{{ slice . LENGTH }}'
    '{{ else }}{{ template "request" (slice . 1) }}{{ end }}{{ end }}{{ end -}}'
    '{{- $last := "" }}{{ range .Messages }}{{ if and (eq .Role "user") (gt (len .Content) START) '
    "(eq (slice .Content 0 START) `MESH`) }}{{ $last = .Content }}{{ end }}{{ end }}"
    '{{ template "request" $last }}'
)
TEMPLATE = (
    TEMPLATE.replace("LENGTH", str(len(_REQUEST)))
    .replace("START", str(len(_MESH)))
    .replace("REQUEST", _REQUEST)
    .replace("MESH", _MESH)
)


def modelfile(weights: str) -> str:
    """The text of a Modelfile for the file of weights beside it."""
    return "\n".join(
        (
            f"FROM ./{weights}",
            f'TEMPLATE """{TEMPLATE}"""',
            "PARAMETER num_thread 1",  # so small a model is slower with more: they wait for each other
            "PARAMETER temperature 0",
            "PARAMETER repeat_penalty 1",  # Ollama's own is 1.1: an answer repeats the digits of its sentence
            "",
        )
    )
