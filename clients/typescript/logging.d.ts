import type { Answer, FeedbackClient } from "./index.js";

/**
 * A `fetch` that logs the model calls made with it: give it to the SDK, `new OpenAI({ fetch: loggingFetch(feedback) })`.
 * Chat completions, responses, messages (Anthropic), streams too; what the SDK gets does not change. The answer's
 * `request_id` is the id that the provider gave it.
 */
export function loggingFetch(
  client: FeedbackClient,
  about?: Answer | ((body: Record<string, any>) => Answer),
  fetch?: typeof globalThis.fetch,
): typeof globalThis.fetch;
