"""What a server measures of itself, as Prometheus reads it."""

from __future__ import annotations

import httpx
from prometheus_client.parser import text_string_to_metric_families


def figures(server_url: str, **headers: str) -> dict[str, float]:
    """Every sample of `/metrics`, by its name and labels: `coscribe_refused_total{limit="role"}`."""
    answer = httpx.get(f"{server_url}/metrics", headers=headers, timeout=30)
    answer.raise_for_status()
    return {
        sample.name
        + (f"{{{','.join(f'{k}={v}' for k, v in sample.labels.items())}}}" if sample.labels else ""): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def refused(server_url: str, limit: str) -> float:
    """How often a limit was met."""
    return figures(server_url)[f"coscribe_refused_total{{limit={limit}}}"]
