"""The application's model in these examples: an OpenAI-compatible endpoint where there is a key, else canned words."""

import os


def answer(prompt: str, question: str) -> str:
    """What the model says to a question under a prompt."""
    if "OPENAI_API_KEY" in os.environ:
        from openai import OpenAI

        messages = [{"role": "system", "content": prompt}, {"role": "user", "content": question}]
        reply = OpenAI().chat.completions.create(model=os.environ.get("MODEL", "gpt-6-luna"), messages=messages)
        return reply.choices[0].message.content or ""
    return f"{prompt.split('.')[0]}: here is what to do about {question!r}."
