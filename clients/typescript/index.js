// @ts-check
const ATTEMPTS = 4;
const MAX_QUEUE = 10_000;
const MAX_BATCH = 500;
const BATCH = "/v1/feedback/batch";
const INTERACTIONS = "/v1/interactions";
const TOKEN_PREFIX = "fbl_";
const DAY = 86_400;

/** @param {number} milliseconds */
const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

export class DeliveryError extends Error {
  /** @param {number} status @param {string} detail @param {string} [explanation] @param {[string, string][]} [errors] */
  constructor(status, detail, explanation = "", errors = []) {
    const said = [explanation, ...errors.map(([field, reason]) => `${field}: ${reason}`)].filter(Boolean).join("; ");
    super(`${status || "unreachable"} ${detail}${said && ": " + said}`);
    this.name = "DeliveryError";
    this.status = status;
    this.detail = detail;
    this.explanation = explanation;
    this.errors = errors;
  }

  get field() {
    return this.errors[0]?.[0] ?? null;
  }

  get worthRepeating() {
    return [0, 408, 429].includes(this.status) || this.status >= 500;
  }
}

export class FeedbackClient {
  #options;
  #fetch;
  /** @type {{path: string, body: any}[]} */
  #queue = [];
  /** @type {Promise<void> | null} */
  #running = null;
  #closing = false;
  #token = "";
  metrics = { delivered: 0, refused: 0, dropped: 0 };

  /** @param {import("./index.js").Options} options */
  constructor(options) {
    this.#options = { timeout: 5000, flushAfter: 200, ...options, url: options.url.replace(/\/+$/, "") };
    this.#fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
    globalThis.addEventListener?.("pagehide", () => void this.#deliver(true));
  }

  /** @param {any} vote @param {string} [idempotencyKey] */
  async send(vote, idempotencyKey = crypto.randomUUID()) {
    return (await this.#patiently("POST", "/v1/feedback", vote, idempotencyKey)).id ?? null;
  }

  /** @param {any[]} votes @param {string} [idempotencyKey] */
  async sendMany(votes, idempotencyKey = crypto.randomUUID()) {
    return (await this.#patiently("POST", BATCH, { items: votes }, idempotencyKey)).results;
  }

  /** @param {string} id @param {{history?: boolean}} [options] */
  get(id, { history = false } = {}) {
    return this.#request("GET", `/v1/feedback/${encodeURIComponent(id)}?history=${history}`);
  }

  /** @param {string} id @param {any} changes */
  change(id, changes) {
    return this.#request("PUT", `/v1/feedback/${encodeURIComponent(id)}`, changes);
  }

  /** @param {string} id */
  async withdraw(id) {
    await this.#request("DELETE", `/v1/feedback/${encodeURIComponent(id)}`);
  }

  /** @param {string} contentType @param {string} contentId @param {import("./index.js").Person} [person] */
  async state(contentType, contentId, { userId, sessionId, snapshot } = {}) {
    const wanted = { content_type: contentType, content_id: contentId, user_id: userId, session_id: sessionId };
    return (await this.#request("POST", "/v1/feedback/state", { ...wanted, content_snapshot: snapshot })).items;
  }

  /** @param {any} answer */
  async logNow(answer) {
    const found = await this.#patiently("POST", INTERACTIONS, this.#redacted(answer), crypto.randomUUID());
    return found.interaction_ids[0];
  }

  /** @param {string[]} tags */
  async lookAlikes(tags) {
    /** @param {string} text */
    const bare = (text) => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
    const wanted = new Set(tags.map(bare));
    const found = Object.entries((await this.#request("GET", "/v1/tags")).look_alikes);
    return Object.fromEntries(found.filter(([tag]) => wanted.has(bare(tag))));
  }

  /** @param {any} vote */
  submit(vote) {
    return this.#put(BATCH, { idempotency_key: crypto.randomUUID(), ...vote });
  }

  /** @param {any} answer */
  log(answer) {
    try {
      return this.#put(INTERACTIONS, this.#redacted(answer));
    } catch {
      this.metrics.dropped++; // what could not be redacted is not sent
      return false;
    }
  }

  /** @param {string} requestId @param {string} name @param {any} [detail] */
  signal(requestId, name, { userId, ...detail } = {}) {
    const value = { signal: name, ...detail };
    return this.submit({ feedback_type: "implicit", feedback_value: value, request_id: requestId, user_id: userId });
  }

  /** @param {string} requestId @param {string} shown @param {string} kept @param {string} [userId] */
  edited(requestId, shown, kept, userId) {
    return this.signal(requestId, "edit", { userId, distance: Math.round(editDistance(shown, kept) * 1e4) / 1e4 });
  }

  /** @param {string} experiment @param {string} variant @param {string} requestId @param {string} userId */
  exposed(experiment, variant, requestId, userId) {
    return this.#put("/v1/exposures", { experiment, variant, request_id: requestId, user_id: userId });
  }

  async flush(milliseconds = 10_000) {
    const late = {};
    const waited = pause(milliseconds).then(() => late);
    while (this.#queue.length || this.#running)
      if ((await Promise.race([this.#deliver(), waited])) === late) return false;
    return true;
  }

  async close(milliseconds = 10_000) {
    this.#closing = true;
    await this.flush(milliseconds);
    this.metrics.dropped += this.#queue.splice(0).length;
  }

  /** @param {any} answer */
  #redacted(answer) {
    return this.#options.redact?.(answer) ?? answer;
  }

  /** @param {string} path @param {any} body */
  #put(path, body) {
    if (this.#queue.length >= MAX_QUEUE) {
      this.metrics.dropped++;
      return false;
    }
    this.#queue.push({ path, body });
    if (!this.#running && this.#queue.length === 1)
      /** @type {any} */ (setTimeout(() => void this.#deliver(), this.#options.flushAfter)).unref?.();
    return true;
  }

  /** One delivery at a time, in the order things were put. @returns {Promise<void>} */
  #deliver(leaving = false) {
    this.#running ??= this.#drain(leaving).finally(() => (this.#running = null));
    return this.#running;
  }

  /** @param {boolean} leaving */
  async #drain(leaving) {
    while (this.#queue.length) {
      const path = this.#queue[0]?.path ?? BATCH;
      const other = this.#queue.findIndex((item) => item.path !== path);
      const items = this.#queue.slice(0, Math.min(MAX_BATCH, other < 0 ? MAX_BATCH : other)).map((item) => item.body);
      try {
        const found = await this.#patiently("POST", path, { items }, crypto.randomUUID(), leaving);
        /** @type {any[]} */
        const results = found?.results ?? [];
        const refused = results.filter((result) => result.status >= 400).length;
        this.metrics.refused += refused;
        this.metrics.delivered += items.length - refused;
      } catch (error) {
        if (error instanceof DeliveryError && error.worthRepeating && !this.#closing && !leaving) {
          await pause(1000 + Math.random() * 4000); // it stays in the queue
          continue;
        }
        this.metrics[error instanceof DeliveryError && error.status ? "refused" : "dropped"] += items.length;
      }
      this.#queue.splice(0, items.length);
    }
  }

  /** @param {string} method @param {string} path @param {any} body @param {string} key @param {boolean} [leaving] */
  async #patiently(method, path, body, key, leaving) {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#request(method, path, body, key, leaving);
      } catch (error) {
        if (!(error instanceof DeliveryError)) throw error;
        if (error.detail === "expired_token" && this.#token) this.#token = "";
        else if (!error.worthRepeating || this.#closing) throw error;
        if (attempt === ATTEMPTS) throw error;
        await pause(Math.random() * Math.min(10_000, 200 * 2 ** (attempt - 1)));
      }
    }
  }

  /** @param {string} method @param {string} path @param {any} [body] @param {string} [key] @param {boolean} [leaving] @returns {Promise<any>} */
  async #request(method, path, body, key, leaving = false) {
    const { url, timeout } = this.#options;
    /** @type {Response} */
    let answer;
    let text;
    try {
      answer = await this.#fetch(url + path, {
        method,
        headers: await this.#headers(key),
        body: body === undefined ? null : JSON.stringify(body),
        signal: AbortSignal.timeout(timeout ?? 5000),
        keepalive: leaving,
      });
      text = await answer.text();
    } catch (error) {
      throw new DeliveryError(0, error instanceof Error ? error.name : "Error");
    }
    if (answer.status < 400) return text ? JSON.parse(text) : null;
    let problem;
    try {
      problem = JSON.parse(text);
    } catch {
      throw new DeliveryError(answer.status, "refused");
    }
    /** @type {any[]} */
    const errors = problem?.errors ?? [];
    const named = errors.map((error) => /** @type {[string, string]} */ ([String(error.field), String(error.reason)]));
    throw new DeliveryError(answer.status, String(problem?.code ?? "refused"), String(problem?.detail ?? ""), named);
  }

  /** @param {string} [key] */
  async #headers(key) {
    /** @type {Record<string, string>} */
    const headers = { "Content-Type": "application/json" };
    const { key: secret, token } = this.#options;
    if (token) {
      this.#token ||= typeof token === "function" ? await token() : token;
      headers["X-Feedback-Session"] = this.#options.session ??= keptSession();
    }
    headers.Authorization = `Bearer ${secret ?? this.#token}`;
    if (key) headers["Idempotency-Key"] = key;
    return headers;
  }
}

/** The same name as the component's, so that a page's votes are one browser's. */
function keptSession() {
  const name = "llm-feedback:session";
  try {
    const known = localStorage.getItem(name);
    if (known) return known;
    const made = crypto.randomUUID();
    localStorage.setItem(name, made);
    return made;
  } catch {
    return crypto.randomUUID(); // storage is forbidden here
  }
}

/** @param {string} key @param {string} contentType @param {string} contentId @param {string} origin @param {{userId?: string, seconds?: number}} [options] */
export async function mintToken(key, contentType, contentId, origin, { userId, seconds = 3600 } = {}) {
  if (!contentType || !contentId || !origin) throw new RangeError("a token needs a content type, an id and an origin");
  if (!(seconds >= 10 && seconds <= DAY)) throw new RangeError(`seconds must be between 10 and ${DAY}`);
  const encoder = new TextEncoder();
  /** @param {string | Uint8Array} data */
  const sha256 = async (data) => new Uint8Array(await crypto.subtle.digest("SHA-256", /** @type {any} */ (typeof data === "string" ? encoder.encode(data) : data)));
  const mark = await sha256(key);
  const handle = (await sha256(new Uint8Array([...encoder.encode("feedback token handle\0"), ...mark]))).slice(0, 16);
  const ends = Math.floor(Date.now() / 1000) + seconds;
  const claims = { h: base64(handle), c: [contentType, contentId], o: origin.replace(/\/+$/, ""), u: userId ?? null };
  const payload = base64(encoder.encode(JSON.stringify({ ...claims, i: crypto.randomUUID(), e: ends })));
  const signer = await crypto.subtle.importKey("raw", mark, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const signed = await crypto.subtle.sign("HMAC", signer, encoder.encode("feedback browser token\0" + payload));
  return `${TOKEN_PREFIX}${payload}.${base64(new Uint8Array(signed))}`;
}

/** @param {Uint8Array} data */
function base64(data) {
  return btoa(String.fromCharCode(...data)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

/** Ratcliff and Obershelp (1988), as the Python client has it. @param {string} shown @param {string} kept */
export function editDistance(shown, kept) {
  const a = [...shown];
  const b = [...kept];
  /** @param {number} from @param {number} to @param {number} start @param {number} end @returns {number} */
  const common = (from, to, start, end) => {
    let best = 0;
    let [i, j] = [from, start];
    /** @type {Map<number, number>} */
    let before = new Map();
    for (let x = from; x < to; x++) {
      const row = new Map();
      for (let y = start; y < end; y++)
        if (a[x] === b[y]) {
          const length = (before.get(y - 1) ?? 0) + 1;
          row.set(y, length);
          if (length > best) [best, i, j] = [length, x - length + 1, y - length + 1];
        }
      before = row;
    }
    return best && best + common(from, i, start, j) + common(i + best, to, j + best, end);
  };
  const letters = a.length + b.length;
  return letters ? 1 - (2 * common(0, a.length, 0, b.length)) / letters : 0;
}
