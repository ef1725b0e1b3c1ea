"""The metrics of all workers of one address: whoever is asked asks the others, and each sample says whose it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

import httpx
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from coscribe.api.relay import HERE, Team

# One that stands still is left out: a scrape waits for ten seconds by default.
_WITHIN_S = 3.0


async def of_all(team: Team, own: bytes, headers: Mapping[str, str]) -> bytes:
    """What every worker that answers counts and measures, with the label `worker`; `headers` are of who asks."""
    async with httpx.AsyncClient(timeout=_WITHIN_S, trust_env=False) as client:
        others = [number for number in range(len(team.ports)) if number != team.number]
        texts = await asyncio.gather(*[_text(client, team, number, headers) for number in others])
    told = {number: text for number, text in zip(others, texts, strict=True) if text is not None}
    registry = CollectorRegistry()
    registry.register(_Gathered({**told, team.number: own.decode()}))
    return generate_latest(registry)


async def _text(client: httpx.AsyncClient, team: Team, number: int, headers: Mapping[str, str]) -> str | None:
    name, value = team.introduction("http", HERE, 0)
    given = {**headers, name.decode(): value.decode()}
    try:
        answer = await client.get(f"http://{HERE}:{team.ports[number]}/metrics", headers=given)
    except httpx.TransportError:
        return None
    return answer.text if answer.status_code == httpx.codes.OK else None


class _Gathered(Collector):
    """Samples of several workers, by metric."""

    def __init__(self, texts: Mapping[int, str]) -> None:
        self._texts = texts

    def collect(self) -> Iterator[Metric]:
        """Each metric once, with what all of them say."""
        metrics: dict[str, Metric] = {}
        for number, text in sorted(self._texts.items()):
            for family in text_string_to_metric_families(text):
                metric = metrics.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    metric.add_sample(sample.name, {**sample.labels, "worker": str(number)}, sample.value)
        yield from metrics.values()
