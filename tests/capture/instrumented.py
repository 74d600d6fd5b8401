"""An application that is instrumented: `python instrumented.py KIND HOW MODELS SERVICE KEY` calls a model as KIND
(openinference, openllmetry) records it, streamed or whole, and prints the answer. A process of its own, as it changes
the SDK."""

import sys

import openai
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def main(kind: str, streamed: str, models: str, service: str, key: str) -> None:
    provider = TracerProvider(resource=Resource.create({"service.name": "bookshop"}))
    exporter = OTLPSpanExporter(endpoint=f"{service}/v1/traces", headers={"x-api-key": key})
    provider.add_span_processor(BatchSpanProcessor(exporter))
    if kind == "openinference":
        from openinference.instrumentation.openai import OpenAIInstrumentor as Instrumentor
    else:
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor as Instrumentor
    Instrumentor().instrument(tracer_provider=provider)
    client = openai.OpenAI(base_url=f"{models}/v1", api_key="x", max_retries=0)
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "say please"}]
    if streamed == "streamed":
        chunks = client.chat.completions.create(model="gpt-4o", messages=messages, stream=True)
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    else:
        said = client.chat.completions.create(model="gpt-4o", messages=messages).choices[0].message.content or ""
    assert provider.force_flush()
    provider.shutdown()
    print(said)


if __name__ == "__main__":
    main(*sys.argv[1:])
