// @ts-check
/** @param {import("./index.js").FeedbackClient} client @param {any} [about] @param {typeof globalThis.fetch} [fetch] @returns {typeof globalThis.fetch} */
export function loggingFetch(client, about = {}, fetch = globalThis.fetch.bind(globalThis)) {
  return async (input, init) => {
    const call = parsed(init?.body);
    if (!call || !(call.messages ?? call.input ?? call.prompt)) return fetch(input, init);
    const started = performance.now();
    let logged = false;
    /** @param {any} found */
    const log = (found) => {
      if (logged) return;
      logged = true;
      try {
        const named = typeof about === "function" ? about(call) : about;
        client.log({ ...asked(call), ...found, latency_ms: Math.round(performance.now() - started), ...named });
      } catch {
        client.metrics.dropped++; // nothing here may break the application
      }
    };
    let answer;
    try {
      answer = await fetch(input, init);
    } catch (error) {
      log({ finish_reason: "error", metadata: { error: error instanceof Error ? error.name : "Error" } });
      throw error;
    }
    if (!answer.body) return answer;
    const { status, statusText, headers, url } = answer;
    const reader = answer.body.getReader();
    const decoder = new TextDecoder();
    let text = "";
    const done = () => log(status < 400 ? answered(text) : { finish_reason: "error", metadata: { error: `HTTP ${status}` } });
    // read as the application reads, so that a stream it leaves is left
    const body = new ReadableStream({
      async pull(controller) {
        try {
          const { value, done: ended } = await reader.read();
          if (ended) {
            done();
            controller.close();
          } else {
            text += decoder.decode(value, { stream: true });
            controller.enqueue(value);
          }
        } catch (error) {
          done();
          controller.error(error);
        }
      },
      cancel(reason) {
        done();
        return reader.cancel(reason);
      },
    });
    return Object.defineProperty(new Response(body, { status, statusText, headers }), "url", { value: url });
  };
}

/** @param {any} text @returns {any} */
function parsed(text) {
  try {
    const value = typeof text === "string" ? JSON.parse(text) : null;
    return value && typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

/** What a model was asked. @param {any} call */
function asked(call) {
  const system = call.instructions ?? call.system;
  const given = call.messages ?? (typeof call.input === "string" ? [{ role: "user", content: call.input }] : call.input);
  const messages = Array.isArray(given) ? given.map((one) => (one?.role ? one : { role: "tool", content: one })) : null;
  const asked = messages ? { messages: system ? [{ role: "system", content: system }, ...messages] : messages } : { prompt: String(call.prompt) };
  return { ...asked, model: call.model, user_id: call.user ?? call.safety_identifier };
}

/** What it said: a completion, a response or a message, or the events of a stream as far as it came. @param {string} text */
function answered(text) {
  const events = /^\s*(event|data|id|retry|:)/.test(text)
    ? text.split("\n").flatMap((line) => (line.startsWith("data:") ? (parsed(line.slice(5)) ?? []) : []))
    : [parsed(text) ?? {}];
  let output = "";
  /** @type {any} */
  const found = {};
  /** @type {string[]} */
  const tools = [];
  /** @param {any} part */
  const saw = (part) => {
    if (!part || typeof part !== "object") return;
    const choice = part.choices?.find((/** @type {any} */ one) => !one.index);
    const message = choice?.message ?? choice?.delta;
    output += message?.content ?? message?.refusal ?? choice?.text ?? "";
    for (const one of message?.tool_calls ?? []) if (one.function?.name) tools.push(one.function.name);
    for (const item of Array.isArray(part.output) ? part.output : Array.isArray(part.content) ? [part] : []) {
      for (const one of item.content ?? []) {
        output += one.text ?? one.refusal ?? "";
        if (one.type === "tool_use") tools.push(one.name);
      }
      if (/_call$/.test(item.type ?? "")) tools.push(item.name ?? item.type);
    }
    found.request_id ??= part.id;
    found.model ??= part.model;
    found.finish_reason = choice?.finish_reason ?? part.stop_reason ?? part.status ?? found.finish_reason;
    const usage = part.usage;
    found.input_tokens = usage?.prompt_tokens ?? usage?.input_tokens ?? found.input_tokens;
    found.output_tokens = usage?.completion_tokens ?? usage?.output_tokens ?? found.output_tokens;
  };
  for (const event of events) {
    const { type, delta } = event;
    if (type === "response.output_text.delta") output += delta;
    else if (type === "content_block_delta") output += delta?.text ?? "";
    else if (type === "content_block_start" && event.content_block?.type === "tool_use") tools.push(event.content_block.name);
    else if (type === "message_start") saw({ ...event.message, content: null });
    else if (type === "message_delta") saw({ ...delta, usage: event.usage });
    else if (/^response\.(created|completed|incomplete|failed)$/.test(type ?? "")) {
      if (type !== "response.created") output = "";
      saw(event.response);
    } else if (!/^response\.|^content_block|^message_stop|^ping/.test(type ?? "")) saw(event);
  }
  return { ...found, output: output || undefined, tools_called: tools.length ? tools : undefined };
}
