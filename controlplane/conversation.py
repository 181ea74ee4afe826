"""One talk as a stream: sentences and confirmations come in; progress, answers and what was applied go out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from controlplane import messages
from controlplane.errors import ControlPlaneError
from controlplane.operations import Attribution
from controlplane.proposals import Proposal
from controlplane.sentences import Sentences
from policy.errors import PolicyError
from protos.apg.admin.v1 import admin_pb2 as pb
from registry.errors import RegistryError

MAX_SENTENCE = 2_000  # characters
_MOST_NEWS = 100


async def converse(
    requests: AsyncIterator[pb.ConverseRequest], sentences: Sentences
) -> AsyncIterator[pb.ConverseResponse]:
    """Answers each request in turn. What goes wrong with one is said, and the talk goes on. When the client goes away,
    what is being asked for is given up."""
    conversation = sentences.new_conversation()
    async for request in requests:
        match request.WhichOneof("said"):
            case "sentence":
                async for response in _propose(request.sentence, conversation, sentences):
                    yield response
            case "confirm":
                yield await _confirm(request.confirm, sentences)
            case _:
                yield pb.ConverseResponse(problem="nothing was said: want a sentence or a confirmation")


async def _propose(sentence: str, conversation: str, sentences: Sentences) -> AsyncIterator[pb.ConverseResponse]:
    if len(sentence) > MAX_SENTENCE:
        yield pb.ConverseResponse(problem=f"the sentence: got {len(sentence)} characters, want at most {MAX_SENTENCE}")
        return
    news: asyncio.Queue[str] = asyncio.Queue(_MOST_NEWS)

    def tell(words: str) -> None:
        if not news.full():
            news.put_nowait(words)

    async with asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(sentences.propose(sentence, conversation=conversation, progress=tell))
        try:
            async for words in _until_done(asked, news):
                yield pb.ConverseResponse(progress=words)
        finally:
            if not asked.done():
                asked.cancel()  # the client is gone, and so is who wanted to know
    made = asked.result()
    yield pb.ConverseResponse(proposal=messages.proposal(made, traffic=sentences.traffic(made.answer)))


async def _until_done(asked: asyncio.Task[Proposal], news: asyncio.Queue[str]) -> AsyncIterator[str]:
    while not asked.done():
        told = asyncio.ensure_future(news.get())
        try:
            await asyncio.wait((asked, told), return_when=asyncio.FIRST_COMPLETED)
            if told.done():
                yield told.result()
        finally:
            told.cancel()
    while not news.empty():
        yield news.get_nowait()


async def _confirm(request: pb.ConfirmRequest, sentences: Sentences) -> pb.ConverseResponse:
    by = Attribution(request.attribution.author or "unnamed", request.attribution.reason)
    try:
        applied = await sentences.confirm(request.proposal_id, by=by, typed=request.typed_name)
    except (ControlPlaneError, PolicyError, RegistryError) as error:
        return pb.ConverseResponse(problem=str(error))
    return pb.ConverseResponse(applied=messages.applied(applied))
